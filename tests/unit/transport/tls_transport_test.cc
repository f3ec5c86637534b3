// SPDX-License-Identifier: MIT
#include "transport/tls_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/transport/tls_test.h"

namespace sockflow::transport {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using std::chrono::milliseconds;
using Outcome = Transport::Outcome;

class TlsTransportTest : public TlsFixture {
 protected:
  std::unique_ptr<TlsTransport> Make(const std::string& host, TlsOptions options) {
    auto context = TlsContext::Load(std::move(options), TlsContext::kStream);
    EXPECT_TRUE(context.ok()) << context.status();
    if (!context.ok()) return nullptr;
    return std::make_unique<TlsTransport>(Url{"tls", host, end_.port()}, *std::move(context),
                                          ToLoopback(end_.port()));
  }

  // What Open says to a collector with these facts, by name and by address.
  absl::Status OpenTo(ServerFacts facts, TlsOptions options,
                      const std::string& host = "sink.example") {
    TlsCollector collector(end_, facts, [](SSL* ssl) { ReadAll(ssl); });
    const auto transport = Make(host, std::move(options));
    absl::Status status = transport->Open(*waiter_, Soon());
    EXPECT_TRUE(transport->Close(*waiter_, Soon()).ok());
    collector.Join();
    accepted_ = collector.accepted();
    server_error_ = collector.error();
    server_name_ = collector.server_name();
    return status;
  }

  std::string Place(const std::string& host = "sink.example") const {
    return "tls://" + host + ":" + std::to_string(end_.port()) +
           (IsAddress(host) ? "" : " (" + end_.address().ToString() + ")");
  }
  std::string Failed(const std::string& why, const std::string& host = "sink.example") const {
    return Place(host) + ": the TLS handshake failed: " + why;
  }

  CollectorEnd end_;
  bool accepted_ = false;
  std::string server_error_;
  std::string server_name_;
};

class TlsVersionsTest : public TlsTransportTest, public ::testing::WithParamInterface<int> {
 protected:
  ServerFacts Facts() const {
    return {.identity = &sink_, .min_version = GetParam(), .max_version = GetParam()};
  }
  ServerFacts FactsWithClientCa(const Identity& ca) const {
    ServerFacts facts = Facts();
    facts.client_ca = &ca;
    return facts;
  }
};

INSTANTIATE_TEST_SUITE_P(Versions, TlsVersionsTest,
                         ::testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& instance) {
                           return instance.param == TLS1_2_VERSION ? "Tls12" : "Tls13";
                         });

TEST_P(TlsVersionsTest, MessagesArriveWholeAndInOrder) {
  std::string received;
  TlsCollector collector(end_, FactsWithClientCa(ca_), [&](SSL* ssl) { received = ReadAll(ssl); });
  const auto transport = Make("sink.example", Mutual());
  const absl::Status opened = transport->Open(*waiter_, Soon());
  ASSERT_TRUE(opened.ok()) << opened;
  auto messages = NumberedMessages(4000, 1400);
  for (size_t i = 0; i < messages.size(); i += 100) messages[i].resize(60'000, 'x');
  const auto result = SendAll(*transport, *waiter_, Spans(messages));
  EXPECT_EQ(result.outcome, Outcome::kAll) << result.status;
  EXPECT_EQ(result.accepted, messages.size());
  const absl::Status closed = transport->Close(*waiter_, Soon());
  EXPECT_TRUE(closed.ok()) << closed;
  EXPECT_EQ(transport->unconfirmed(), 0u);
  collector.Join();
  EXPECT_TRUE(collector.accepted()) << collector.error();
  EXPECT_TRUE(received == Concatenation(messages));
}

TEST_P(TlsVersionsTest, AskedForACertificateWeHaveNone) {
  const absl::Status status = OpenTo(FactsWithClientCa(ca_), Anonymous());
  EXPECT_EQ(Text(status), Failed("the collector wants a certificate of ours; set tls.certificate and "
                                 "tls.key"));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_FALSE(accepted_);
}

TEST_P(TlsVersionsTest, OurCertificateIsRefused) {
  const absl::Status status = OpenTo(FactsWithClientCa(stranger_ca_), Mutual());
  EXPECT_EQ(Text(status),
            Failed("the collector refused our certificate (unknown CA); see that it is valid, and "
                   "that the collector knows its CA: tls.certificate " +
                   own_file_));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_FALSE(accepted_);
}

TEST_P(TlsVersionsTest, ACollectorOfAnUnknownCa) {
  ServerFacts facts = Facts();
  const Identity stranger = Certify(&stranger_ca_, "sink", "DNS:sink.example");
  facts.identity = &stranger;
  const absl::Status status = OpenTo(facts, Mutual());
  EXPECT_EQ(Text(status), Failed("the certificate /CN=sink is signed by an unknown CA, "
                                 "/CN=Strange CA; set tls.ca to that CA's certificate"));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_FALSE(accepted_);
  EXPECT_THAT(server_error_, HasSubstr("unknown ca"));  // its log tells, too
}

TEST_P(TlsVersionsTest, TheCollectorEndsTheSession) {
  TlsCollector collector(end_, FactsWithClientCa(ca_), [](SSL* ssl) {
    char octet;
    SSL_read(ssl, &octet, 1);
    SSL_shutdown(ssl);
  });
  const auto transport = Make("sink.example", Mutual());
  const absl::Status opened = transport->Open(*waiter_, Soon());
  ASSERT_TRUE(opened.ok()) << opened;
  const std::vector<uint8_t> message(1, 'm');
  const std::span<const uint8_t> span(message);
  auto result = transport->Send({&span, 1}, *waiter_, Soon());
  EXPECT_EQ(result.accepted, 1u);
  while (result.outcome == Outcome::kAll) {
    AwaitNews(*transport, *waiter_);
    result = transport->Check();
  }
  EXPECT_EQ(result.outcome, Outcome::kSessionOver);
  EXPECT_EQ(Text(result.status),
            Place() + ": the connection was closed by the collector; its log may say why");
}

TEST_P(TlsVersionsTest, WhatTheCollectorSaysIsForgotten) {
  TlsCollector collector(end_, Facts(), [](SSL* ssl) {
    const std::string noise(40'000, 'n');
    SSL_write(ssl, noise.data(), static_cast<int>(noise.size()));
    ReadAll(ssl);
  });
  const auto transport = Make("sink.example", Mutual());
  ASSERT_TRUE(transport->Open(*waiter_, Soon()).ok());
  while (transport->received_octets() < 40'000 && !HasFailure()) {
    AwaitNews(*transport, *waiter_);
    const auto result = transport->Check();
    ASSERT_EQ(result.outcome, Outcome::kAll) << result.status;
  }
  EXPECT_TRUE(transport->Close(*waiter_, Soon()).ok());
}

TEST_F(TlsTransportTest, ExpiredAndNotYetValid) {
  const Identity expired = Certify(&ca_, "sink", "DNS:sink.example", -7200, -3600);
  EXPECT_EQ(Text(OpenTo({.identity = &expired}, Mutual())),
            Failed("the certificate /CN=sink expired on " +
                   ToString(X509_get0_notAfter(expired.certificate.get())) +
                   "; renew it, or correct this host's clock"));
  const Identity early = Certify(&ca_, "sink", "DNS:sink.example", 3600, 7200);
  EXPECT_EQ(Text(OpenTo({.identity = &early}, Mutual())),
            Failed("the certificate /CN=sink is not valid before " +
                   ToString(X509_get0_notBefore(early.certificate.get())) +
                   "; wait, or correct this host's clock"));
}

TEST_F(TlsTransportTest, TheNameOfTheCollectorIsChecked) {
  const ServerFacts facts = {.identity = &sink_};
  const auto wrong = [&](const std::string& expected, const std::string& host) {
    return Failed("the collector's certificate is for sink.example, *.wild.example, 127.0.0.1, not "
                  "for " +
                      expected + "; correct the URL, set tls.server_name, or renew the certificate",
                  host);
  };
  EXPECT_TRUE(OpenTo(facts, Mutual()).ok());
  EXPECT_EQ(server_name_, "sink.example");
  EXPECT_TRUE(OpenTo(facts, Mutual(), "Sink.Example.").ok());
  EXPECT_TRUE(OpenTo(facts, Mutual(), "a.wild.example").ok());
  EXPECT_EQ(Text(OpenTo(facts, Mutual(), "a.b.wild.example")),
            wrong("a.b.wild.example", "a.b.wild.example"));
  EXPECT_EQ(Text(OpenTo(facts, Mutual(), "other.example")), wrong("other.example", "other.example"));

  EXPECT_TRUE(OpenTo(facts, Mutual(), "127.0.0.1").ok());
  EXPECT_EQ(server_name_, "");  // an address is no name (RFC 6066 3)
  TlsOptions options = Mutual();
  options.server_name = "sink.example";
  EXPECT_TRUE(OpenTo(facts, options, "other.example").ok());
  EXPECT_EQ(server_name_, "sink.example");
  EXPECT_TRUE(OpenTo(facts, options, "127.0.0.1").ok());
  options.server_name = "127.0.0.1";
  EXPECT_TRUE(OpenTo(facts, options, "other.example").ok());
  options.server_name = "192.0.2.1";
  EXPECT_EQ(Text(OpenTo(facts, options)), wrong("192.0.2.1", "sink.example"));

  const Identity partial = Certify(&ca_, "sink", "DNS:s*.example");
  EXPECT_THAT(Text(OpenTo({.identity = &partial}, Mutual())),
              HasSubstr("the collector's certificate is for s*.example, not for sink.example"));
}

// A name in the common name alone is one (RFC 7011 11.3), though not recommended.
TEST_F(TlsTransportTest, ACertificateWithoutAlternativeNames) {
  const Identity named = Certify(&ca_, "sink.example", "");
  EXPECT_TRUE(OpenTo({.identity = &named}, Mutual()).ok());
  EXPECT_THAT(Text(OpenTo({.identity = &named}, Mutual(), "other.example")),
              HasSubstr("the collector's certificate is for /CN=sink.example, not for other.example"));
}

TEST_F(TlsTransportTest, ACertificateSignedByItselfCanBeTrusted) {
  const Identity self = Certify(nullptr, "self", "DNS:sink.example");
  EXPECT_EQ(Text(OpenTo({.identity = &self}, Mutual())),
            Failed("the certificate /CN=self is signed by an unknown CA, /CN=self; set tls.ca to that "
                   "CA's certificate"));
  EXPECT_TRUE(OpenTo({.identity = &self},
                     {.ca = files_.Write("self.pem", CertificatePem(self))})
                  .ok());
}

TEST_F(TlsTransportTest, ACollectorThatIsTooOld) {
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    EXPECT_EQ(Text(OpenTo({.identity = &sink_, .min_version = version, .max_version = version},
                          Mutual())),
              Failed("the collector speaks no TLS from version 1.2 on; enable TLS 1.2 there"));
    EXPECT_FALSE(accepted_);
  }
}

TEST_F(TlsTransportTest, ACollectorThatDoesNotSpeakTls) {
  const auto transport = Make("sink.example", Mutual());
  std::thread plain([&] {
    const Socket socket = end_.Accept();
    Read(socket, 64);
    const std::string answer = "HTTP/1.1 400 Bad Request\r\n\r\n";
    send(socket.fd(), answer.data(), answer.size(), MSG_NOSIGNAL);
    Read(socket, 1 << 20);
  });
  EXPECT_EQ(Text(transport->Open(*waiter_, Soon())),
            Failed("the collector does not answer in TLS; enable TLS at that port, name its TLS port "
                   "(4740), or use the scheme without it"));
  plain.join();
}

TEST_F(TlsTransportTest, ACollectorThatClosesOrResetsInTheHandshake) {
  const std::string closed =
      Failed("the collector closed the connection; its log may say why, it may not expect TLS at "
             "that port");
  const auto transport = Make("sink.example", Mutual());
  for (const bool at_once : {true, false}) {
    for (const bool reset : {true, false}) {
      std::thread plain([&] {
        Socket socket = end_.Accept();
        // As long as it has unread octets, closing is a reset.
        if (!at_once) Read(socket, 64);
        if (reset) Reset(socket);
      });
      // Reset at once, the connection may be gone before the handshake begins.
      const std::string error = Text(transport->Open(*waiter_, Soon()));
      if (!(at_once && reset && error.find("Connection reset by peer") != error.npos)) {
        EXPECT_EQ(error, closed);
      }
      plain.join();
    }
  }
  EXPECT_EQ(transport->fd(), -1);
}

TEST_F(TlsTransportTest, ACollectorThatSaysNothing) {
  const auto transport = Make("sink.example", Mutual());
  const absl::Status late = transport->Open(*waiter_, Now() + milliseconds(50));
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Text(late), Failed("the collector did not answer in time; see that it runs and expects "
                               "TLS at that port, and that no firewall is in between"));
  // By the time it waits for the handshake it is connected, and the name is known.
  const auto direct = Make("127.0.0.1", Mutual());
  std::thread waker([&] {
    const Socket first = end_.Accept();
    const Socket socket = end_.Accept();
    Read(socket, 1);
    waiter_->Wake();
  });
  const absl::Status woken = direct->Open(*waiter_, Soon());
  EXPECT_EQ(woken.code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(Text(woken), StartsWith(Place("127.0.0.1") + ": "));
  EXPECT_THAT(Text(woken), HasSubstr("interrupted"));
  waker.join();
}

TEST_F(TlsTransportTest, ACollectorThatIsAway) {
  end_.Stop();
  EXPECT_THAT(Text(Make("sink.example", Mutual())->Open(*waiter_, Soon())),
              HasSubstr("Connection refused; start the collector or correct its address"));
}

TEST_F(TlsTransportTest, AResetInTheStreamTellsWhatIsUnconfirmed) {
  Socket peer;
  TlsCollector collector(end_, {.identity = &sink_}, [&](SSL* ssl) {
    peer = Socket(dup(SSL_get_fd(ssl)));  // stays open, unread
  });
  const auto transport = Make("sink.example", Mutual());
  ASSERT_TRUE(transport->Open(*waiter_, Soon()).ok());
  collector.Join();
  const std::vector<uint8_t> message(1000, 'm');
  const size_t sent = SendUntilBusy(*transport, *waiter_, message);
  const size_t unconfirmed = transport->unconfirmed();
  EXPECT_GT(unconfirmed, 10u);
  EXPECT_LT(unconfirmed, sent);
  Reset(peer);
  AwaitNews(*transport, *waiter_);
  const std::span<const uint8_t> span(message);
  const auto result = transport->Send({&span, 1}, *waiter_, Soon());
  EXPECT_EQ(result.outcome, Outcome::kSessionOver);
  EXPECT_EQ(result.accepted, 0u);
  EXPECT_EQ(Text(result.status),
            Place() + ": the connection was reset by the collector; its log may say why");
  // An acknowledgement may have been on its way.
  EXPECT_LE(transport->unconfirmed(), unconfirmed);
  EXPECT_GT(transport->unconfirmed(), 10u);
}

TEST_F(TlsTransportTest, ACollectorThatNeverReads) {
  Socket peer;
  TlsCollector collector(end_, {.identity = &sink_},
                         [&](SSL* ssl) { peer = Socket(dup(SSL_get_fd(ssl))); });
  const auto transport = Make("sink.example", Mutual());
  ASSERT_TRUE(transport->Open(*waiter_, Soon()).ok());
  collector.Join();
  SendUntilBusy(*transport, *waiter_, std::vector<uint8_t>(1000, 'm'));
  const absl::Status status = transport->Close(*waiter_, Now() + milliseconds(50));
  EXPECT_EQ(Text(status), Place() +
                              ": the collector did not take everything before the deadline; see "
                              "whether it still reads (the last " +
                              std::to_string(transport->unconfirmed()) + " messages may be lost)");
  EXPECT_GT(transport->unconfirmed(), 10u);
}

TEST_F(TlsTransportTest, AnAlertInTheStreamEndsTheSession) {
  TlsCollector collector(end_, {.identity = &sink_}, [](SSL* ssl) {
    // A record that decrypts to nothing known: garbage under the protocol.
    const std::string garbage = std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'g');
    send(SSL_get_fd(ssl), garbage.data(), garbage.size(), MSG_NOSIGNAL);
    ReadAll(ssl);
  });
  const auto transport = Make("sink.example", Mutual());
  ASSERT_TRUE(transport->Open(*waiter_, Soon()).ok());
  auto result = transport->Check();
  while (result.outcome == Outcome::kAll) {
    AwaitNews(*transport, *waiter_);
    result = transport->Check();
  }
  EXPECT_THAT(Text(result.status),
              StartsWith(Place() + ": the TLS session broke: decryption failed or bad record mac"));
}

TEST_F(TlsTransportTest, CertificatesAreReadAgainForEachSession) {
  const ServerFacts facts = {.identity = &sink_, .client_ca = &ca_};
  const auto transport = Make("sink.example", Mutual());
  const auto open = [&] {
    TlsCollector collector(end_, facts, [](SSL* ssl) { ReadAll(ssl); });
    const absl::Status status = transport->Open(*waiter_, Soon());
    EXPECT_TRUE(transport->Close(*waiter_, Soon()).ok());
    return Text(status);
  };
  EXPECT_EQ(open(), "");
  const Identity other = Certify(&stranger_ca_, "exporter", "DNS:exporter.example");
  files_.Write("own.pem", CertificatePem(other));
  // In the middle of a rotation: no session, and nobody is called.
  EXPECT_EQ(Text(transport->Open(*waiter_, Soon())),
            "tls.key: " + key_file_ + ": it is not the key of the certificate in " + own_file_ +
                "; name the key that this was made for");
  end_.Accept();
  files_.Write("own.key", KeyPem(other));
  EXPECT_THAT(open(), HasSubstr("the collector refused our certificate"));
  files_.Write("own.pem", CertificatePem(own_));
  files_.Write("own.key", KeyPem(own_));
  EXPECT_EQ(open(), "");
}

}  // namespace
}  // namespace sockflow::transport
