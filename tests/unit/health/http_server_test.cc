// SPDX-License-Identifier: MIT
#include "health/http_server.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace sockflow::health {
namespace {

using std::chrono::milliseconds;

class HttpServerTest : public ::testing::Test {
 protected:
  void Start(HttpServer::Options options = {}, std::string body = "page\n") {
    auto listener = transport::TcpListener::Open({.scheme = "tcp", .host = "127.0.0.1", .port = 0});
    ASSERT_TRUE(listener.ok()) << listener.status();
    auto server = HttpServer::Start(
        *std::move(listener),
        [body = std::move(body)](std::string_view path) {
          return path == "/page" ? Page{.body = body} : ErrorPage(404);
        },
        options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  transport::Socket Connect() {
    transport::Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(server_->port())};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    // No test hangs for ever.
    const timeval patience{.tv_sec = 20};
    setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return socket;
  }

  static void Send(const transport::Socket& socket, std::string_view octets) {
    EXPECT_EQ(send(socket.fd(), octets.data(), octets.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(octets.size()));
  }

  // All until the server closes; "reset" if it does so out of order.
  static std::string ReadAll(const transport::Socket& socket) {
    std::string all;
    char octets[4096];
    ssize_t got;
    while ((got = recv(socket.fd(), octets, sizeof octets, 0)) > 0) all.append(octets, got);
    return got == 0 ? all : all + "reset";
  }

  // Whether the server has ended the connection, or does within that time.
  static bool IsOver(const transport::Socket& socket, milliseconds patience) {
    pollfd waits{.fd = socket.fd(), .events = POLLIN};
    return poll(&waits, 1, static_cast<int>(patience.count())) == 1;
  }

  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, GivesPages) {
  Start();
  for (const auto& [request, start] : std::vector<std::pair<std::string, std::string>>{
           {"GET /page HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 "},
           {"GET /other HTTP/1.1\r\n\r\n", "HTTP/1.1 404 "},
           {"POST /page HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody", "HTTP/1.1 405 "},
           {std::string(20'000, 'x'), "HTTP/1.1 431 "}}) {
    const transport::Socket socket = Connect();
    Send(socket, request);
    const std::string answer = ReadAll(socket);
    EXPECT_TRUE(answer.starts_with(start)) << answer;
    EXPECT_FALSE(answer.ends_with("reset")) << answer;
  }
}

TEST_F(HttpServerTest, TakesARequestPieceByPiece) {
  Start();
  const transport::Socket socket = Connect();
  for (const char c : std::string("GET /page HTTP/1.1\r\n\r\n")) Send(socket, std::string_view(&c, 1));
  EXPECT_TRUE(ReadAll(socket).ends_with("\r\n\r\npage\n"));
}

// More than the socket's buffer holds.
TEST_F(HttpServerTest, WritesALongPageAsTheReaderTakesIt) {
  const std::string body(16 << 20, 'b');
  Start({}, body);
  const transport::Socket socket = Connect();
  Send(socket, "GET /page HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(ReadAll(socket).ends_with("\r\n\r\n" + body));
}

TEST_F(HttpServerTest, WhoIsSlowKeepsNobodyOut) {
  Start({.max_connections = 4, .patience = std::chrono::minutes(10)});
  std::vector<transport::Socket> slow;
  for (int i = 0; i < 20; ++i) {
    slow.push_back(Connect());
    Send(slow.back(), "GET /pa");
  }
  const transport::Socket socket = Connect();
  Send(socket, "GET /page HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(ReadAll(socket).ends_with("page\n"));
  // The oldest went, to make room for the youngest.
  for (size_t i = 0; i < 17; ++i) EXPECT_TRUE(IsOver(slow[i], std::chrono::seconds(20))) << i;
  for (size_t i = 17; i < 20; ++i) EXPECT_FALSE(IsOver(slow[i], milliseconds(0))) << i;
}

TEST_F(HttpServerTest, PatienceEnds) {
  Start({.patience = milliseconds(50)});
  const transport::Socket silent = Connect();
  EXPECT_EQ(ReadAll(silent), "");
  // Asked, answered, and never closed by who asked.
  const transport::Socket lingering = Connect();
  Send(lingering, "GET /page HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(ReadAll(lingering).ends_with("page\n"));
  // Who talks on is refused then (a reset).
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (send(lingering.fd(), "x", 1, MSG_NOSIGNAL) == 1 && std::chrono::steady_clock::now() < end) {
    std::this_thread::yield();
  }
  EXPECT_LT(std::chrono::steady_clock::now(), end);
}

TEST_F(HttpServerTest, EndlessEmptyLinesAreNoRequest) {
  Start({.patience = std::chrono::minutes(10)});
  const transport::Socket socket = Connect();
  Send(socket, std::string(20'000, '\n'));
  EXPECT_TRUE(ReadAll(socket).starts_with("HTTP/1.1 431 "));
}

TEST_F(HttpServerTest, EndsWithOpenConnections) {
  Start();
  const transport::Socket open = Connect();
  server_.reset();
  const std::string rest = ReadAll(open);
  EXPECT_TRUE(rest == "" || rest == "reset") << rest;
}

}  // namespace
}  // namespace sockflow::health
