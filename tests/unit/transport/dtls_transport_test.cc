// SPDX-License-Identifier: MIT
#include "transport/dtls_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <thread>

#include "tests/unit/transport/tls_test.h"

namespace sockflow::transport {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using std::chrono::milliseconds;
using Outcome = Transport::Outcome;

const unsigned char kCookie[] = "cookie";

// A collector's UDP socket on 127.0.0.1.
class DatagramEnd {
 public:
  DatagramEnd() { Open(0); }

  uint16_t port() const { return port_; }
  SocketAddress address() const {
    return Resolve({"udp", "127.0.0.1", port_}, Purpose::kSend)->front();
  }
  int fd() const { return socket_.fd(); }
  void Stop() { socket_ = Socket(-1); }
  // As a collector that was restarted.
  void Restart() {
    Stop();
    Open(port_);
  }

  // The session of whoever sends first.
  SessionPtr Accept(SSL_CTX* context) {
    SocketAddress peer;
    peer.length = static_cast<uint32_t>(peer.octets.size());
    char octet;
    EXPECT_EQ(recvfrom(fd(), &octet, 1, MSG_PEEK, reinterpret_cast<sockaddr*>(peer.octets.data()),
                       &peer.length),
              1);
    EXPECT_EQ(Connect(socket_, peer), 0);
    SessionPtr ssl(SSL_new(context));
    BIO* bio = BIO_new_dgram(fd(), BIO_NOCLOSE);
    BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, peer.octets.data());
    const timeval limit{.tv_sec = 10, .tv_usec = 0};
    BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_RECV_TIMEOUT, 0, const_cast<timeval*>(&limit));
    SSL_set_bio(ssl.get(), bio, bio);
    SSL_set_options(ssl.get(), SSL_OP_COOKIE_EXCHANGE);
    SSL_set_accept_state(ssl.get());
    return ssl;
  }

 private:
  void Open(uint16_t port) {
    socket_ = Socket(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const timeval limit{.tv_sec = 10, .tv_usec = 0};
    setsockopt(fd(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    socklen_t length = sizeof(address);
    getsockname(fd(), reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
  }

  Socket socket_;
  uint16_t port_ = 0;
};

class DtlsTransportTest : public TlsFixture {
 protected:
  std::unique_ptr<DtlsTransport> Make(const std::string& host, TlsOptions options,
                                      std::chrono::nanoseconds session_time = std::chrono::hours(1)) {
    auto context = TlsContext::Load(std::move(options), TlsContext::kDatagrams);
    EXPECT_TRUE(context.ok()) << context.status();
    return std::make_unique<DtlsTransport>(
        Url{"dtls", host, end_.port()}, *std::move(context),
        DtlsTransport::Options{.session_time = session_time,
                               .resolve = ToLoopback(end_.port())});
  }

  static ContextPtr MakeContext(const ServerFacts& facts) {
    ContextPtr context = MakeServerContext(DTLS_server_method(), facts);
    // RFC 6347 4.2.1: the exporter must show that it is where it says it is.
    SSL_CTX_set_cookie_generate_cb(context.get(), [](SSL*, unsigned char* cookie,
                                                     unsigned int* length) {
      *length = sizeof(kCookie);
      std::copy(std::begin(kCookie), std::end(kCookie), cookie);
      return 1;
    });
    SSL_CTX_set_cookie_verify_cb(
        context.get(), [](SSL*, const unsigned char* cookie, unsigned int length) {
          return length == sizeof(kCookie) &&
                         std::equal(std::begin(kCookie), std::end(kCookie), cookie)
                     ? 1
                     : 0;
        });
    return context;
  }

  // Calls `serve` in a thread if the handshake succeeds.
  std::thread Serve(ServerFacts facts, std::function<void(SSL*)> serve) {
    return std::thread([this, facts, serve] {
      const ContextPtr context = MakeContext(facts);
      const SessionPtr ssl = end_.Accept(context.get());
      if (SSL_accept(ssl.get()) == 1 && serve) serve(ssl.get());
      ERR_clear_error();
    });
  }

  absl::Status OpenTo(ServerFacts facts, TlsOptions options,
                      const std::string& host = "sink.example") {
    end_.Restart();
    std::thread server = Serve(facts, [](SSL* ssl) { ReadAll(ssl); });
    const auto transport = Make(host, std::move(options));
    absl::Status status = transport->Open(*waiter_, Soon());
    EXPECT_TRUE(transport->Close(*waiter_, Soon()).ok());
    server.join();
    return status;
  }

  std::string Place() const {
    return "dtls://sink.example:" + std::to_string(end_.port()) + " (" +
           end_.address().ToString() + ")";
  }
  std::string Failed(const std::string& why) const {
    return Place() + ": the DTLS handshake failed: " + why;
  }

  DatagramEnd end_;
  ServerFacts mutual_{.identity = &sink_, .client_ca = &ca_};
};

TEST_F(DtlsTransportTest, AMessageIsADatagram) {
  std::vector<std::string> received;
  std::thread server = Serve(mutual_, [&](SSL* ssl) {
    char part[16384];
    for (int taken; (taken = SSL_read(ssl, part, sizeof(part))) > 0;) {
      received.emplace_back(part, static_cast<size_t>(taken));
    }
  });
  const auto transport = Make("sink.example", Mutual());
  const absl::Status opened = transport->Open(*waiter_, Soon());
  ASSERT_TRUE(opened.ok()) << opened;
  EXPECT_TRUE(transport->forgets_templates());
  // No more than the receive buffer holds.
  auto messages = NumberedMessages(30, 1400);
  messages[7].resize(16'384, 'x');
  const auto result = SendAll(*transport, *waiter_, Spans(messages));
  EXPECT_EQ(result.outcome, Outcome::kAll) << result.status;
  EXPECT_EQ(result.accepted, 30u);
  EXPECT_EQ(transport->unconfirmed(), 0u);
  EXPECT_TRUE(transport->Close(*waiter_, Soon()).ok());
  EXPECT_EQ(transport->fd(), -1);
  server.join();  // by close_notify
  ASSERT_EQ(received.size(), messages.size());
  for (size_t i = 0; i < messages.size(); ++i) {
    EXPECT_TRUE(received[i] == std::string(messages[i].begin(), messages[i].end())) << i;
  }
}

TEST_F(DtlsTransportTest, AMessageThatIsTooLongIsLostAndTheNextIsNot) {
  std::string received;
  std::thread server = Serve(mutual_, [&](SSL* ssl) { received = ReadAll(ssl); });
  const auto transport = Make("sink.example", Mutual());
  ASSERT_TRUE(transport->Open(*waiter_, Soon()).ok());
  const std::vector<std::vector<uint8_t>> messages = {
      std::vector<uint8_t>(10, 'a'), std::vector<uint8_t>(16'385, 'b'),
      std::vector<uint8_t>(10, 'c')};
  const auto spans = Spans(messages);
  const auto result = transport->Send(spans, *waiter_, Soon());
  EXPECT_EQ(result.outcome, Outcome::kMessageLost);
  EXPECT_EQ(result.accepted, 1u);
  EXPECT_EQ(Text(result.status), Place() +
                                     ": a message of 16385 octets is too long for the path, which "
                                     "takes 16384; set exporter.max_message_bytes to 16384");
  EXPECT_EQ(transport->Send(std::span(spans).subspan(2), *waiter_, Soon()).outcome, Outcome::kAll);
  EXPECT_TRUE(transport->Close(*waiter_, Soon()).ok());
  server.join();
  EXPECT_EQ(received, std::string(10, 'a') + std::string(10, 'c'));
}

TEST_F(DtlsTransportTest, TheCollectorIsAuthenticated) {
  EXPECT_TRUE(OpenTo(mutual_, Mutual()).ok());
  EXPECT_TRUE(OpenTo(mutual_, Mutual(), "127.0.0.1").ok());
  EXPECT_THAT(Text(OpenTo(mutual_, Mutual(), "other.example")),
              HasSubstr("the DTLS handshake failed: the collector's certificate is for sink.example, "
                        "*.wild.example, 127.0.0.1, not for other.example"));
  const Identity stranger = Certify(&stranger_ca_, "sink", "DNS:sink.example");
  EXPECT_EQ(Text(OpenTo({.identity = &stranger}, Mutual())),
            Failed("the certificate /CN=sink is signed by an unknown CA, /CN=Strange CA; set tls.ca "
                   "to that CA's certificate"));
  const Identity expired = Certify(&ca_, "sink", "DNS:sink.example", -7200, -3600);
  EXPECT_THAT(Text(OpenTo({.identity = &expired}, Mutual())),
              StartsWith(Failed("the certificate /CN=sink expired on ")));
}

TEST_F(DtlsTransportTest, WeAreAuthenticated) {
  EXPECT_EQ(Text(OpenTo(mutual_, Anonymous())),
            Failed("the collector wants a certificate of ours; set tls.certificate and tls.key"));
  EXPECT_EQ(Text(OpenTo({.identity = &sink_, .client_ca = &stranger_ca_}, Mutual())),
            Failed("the collector refused our certificate (unknown CA); see that it is valid, and "
                   "that the collector knows its CA: tls.certificate " +
                   own_file_));
}

TEST_F(DtlsTransportTest, ACollectorThatIsTooOld) {
  EXPECT_EQ(Text(OpenTo({.identity = &sink_, .min_version = DTLS1_VERSION,
                         .max_version = DTLS1_VERSION},
                        Mutual())),
            Failed("the collector speaks no DTLS from version 1.2 on; enable DTLS 1.2 there"));
}

TEST_F(DtlsTransportTest, ACollectorThatIsAwayOrSaysNothing) {
  const auto transport = Make("sink.example", Mutual());
  const absl::Status silent = transport->Open(*waiter_, Now() + milliseconds(50));
  EXPECT_EQ(silent.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Text(silent), Failed("the collector did not answer in time; see that it runs and expects "
                                 "DTLS at that port, and that no firewall is in between"));
  end_.Stop();
  EXPECT_EQ(Text(transport->Open(*waiter_, Soon())),
            Failed("nothing listens there; start the collector or correct its address"));
  EXPECT_EQ(transport->fd(), -1);
  EXPECT_EQ(transport->Check().outcome, Outcome::kAll);
  const auto result = transport->Send({}, *waiter_, Now());
  EXPECT_EQ(result.outcome, Outcome::kSessionOver);
  EXPECT_EQ(Text(result.status), transport->name() + ": there is no session");
}

TEST_F(DtlsTransportTest, AFlightThatIsLostIsSentAgain) {
  std::thread server([this] {
    char octets[2000];
    EXPECT_GT(recv(end_.fd(), octets, sizeof(octets), 0), 0);  // the first ClientHello is lost
    Serve(mutual_, [](SSL* ssl) { ReadAll(ssl); }).join();
  });
  const auto transport = Make("sink.example", Mutual());
  const absl::Status opened = transport->Open(*waiter_, Soon());
  EXPECT_TRUE(opened.ok()) << opened;
  transport->Close(*waiter_, Soon()).IgnoreError();
  server.join();
}

TEST_F(DtlsTransportTest, ACollectorThatSaysFarewellEndsTheSession) {
  std::thread server = Serve(mutual_, [](SSL* ssl) {
    SSL_write(ssl, "hello", 5);
    SSL_shutdown(ssl);
  });
  const auto transport = Make("sink.example", Mutual());
  ASSERT_TRUE(transport->Open(*waiter_, Soon()).ok());
  server.join();
  AwaitNews(*transport, *waiter_);
  const auto result = transport->Check();
  EXPECT_EQ(result.outcome, Outcome::kSessionOver);
  EXPECT_EQ(Text(result.status),
            Place() + ": the connection was closed by the collector; its log may say why");
  EXPECT_EQ(transport->fd(), -1);
}

TEST_F(DtlsTransportTest, ACollectorThatIsGoneEndsTheSession) {
  std::thread server = Serve(mutual_, {});
  const auto transport = Make("sink.example", Mutual());
  ASSERT_TRUE(transport->Open(*waiter_, Soon()).ok());
  server.join();
  end_.Stop();
  const std::vector<uint8_t> message(10, 'm');
  const std::span<const uint8_t> span(message);
  EXPECT_EQ(transport->Send({&span, 1}, *waiter_, Soon()).outcome, Outcome::kAll);
  AwaitNews(*transport, *waiter_);
  const auto result = transport->Send({&span, 1}, *waiter_, Soon());
  EXPECT_EQ(result.outcome, Outcome::kSessionOver);
  EXPECT_EQ(result.accepted, 0u);
  EXPECT_EQ(Text(result.status),
            Place() + ": the collector refused what was sent; start it, or correct its address");
}

TEST_F(DtlsTransportTest, ASessionEndsInOrderAfterItsTime) {
  bool farewell = false;
  const auto serve = [&](SSL* ssl) {
    ReadAll(ssl);
    farewell = (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
  };
  std::thread server = Serve(mutual_, serve);
  const auto transport = Make("sink.example", Mutual(), milliseconds(100));
  ASSERT_TRUE(transport->Open(*waiter_, Soon()).ok());
  EXPECT_EQ(transport->Check().outcome, Outcome::kAll);
  const auto next = transport->next_check();
  ASSERT_LT(next, Now() + milliseconds(101));
  waiter_->Wait(-1, 0, next);
  const auto result = transport->Check();
  EXPECT_EQ(result.outcome, Outcome::kSessionOver);
  EXPECT_TRUE(result.status.ok()) << result.status;
  EXPECT_EQ(transport->next_check(), Transport::Clock::time_point::max());
  server.join();
  EXPECT_TRUE(farewell);

  // The restarted collector, which knows no session, is shaken hands with anew.
  end_.Restart();
  server = Serve(mutual_, serve);
  EXPECT_TRUE(transport->Open(*waiter_, Soon()).ok());
  EXPECT_TRUE(transport->Close(*waiter_, Soon()).ok());
  server.join();
}

TEST_F(DtlsTransportTest, AWakeEndsTheHandshake) {
  const auto transport = Make("127.0.0.1", Mutual());
  waiter_->Wake();
  const absl::Status status = transport->Open(*waiter_, Soon());
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Text(status), transport->name() + ": the DTLS handshake was interrupted");
}

}  // namespace
}  // namespace sockflow::transport
