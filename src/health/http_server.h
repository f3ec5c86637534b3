// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "absl/status/statusor.h"
#include "health/http_request.h"
#include "transport/socket.h"
#include "transport/tcp_listener.h"
#include "transport/waiter.h"

namespace sockflow::health {

// Gives pages to whoever asks. One thread, which sleeps while nobody does.
//
// Not one of Debian's libraries: libmicrohttpd loads GnuTLS and seven more, and neither it nor civetweb
// (inside prometheus-cpp) has archives that the static build could link.
class HttpServer {
 public:
  // Called in the server's thread; may wait a moment, as nobody else is served meanwhile.
  using Handler = std::function<Page(std::string_view path)>;

  struct Options {
    // Connections at once. One more ends the oldest: who is slow must not keep a probe out.
    size_t max_connections = 16;
    // From accept to the end of the answer.
    std::chrono::milliseconds patience{5000};
  };

  // kUnavailable: the system gives no thread; kResourceExhausted: no descriptor.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(std::unique_ptr<transport::TcpListener> listener,
                                                           Handler handler, Options options);
  ~HttpServer();

  // Where it is asked: "127.0.0.1:9841".
  const std::string& name() const { return listener_->name(); }
  uint16_t port() const { return listener_->port(); }

 private:
  using Clock = std::chrono::steady_clock;

  struct Connection {
    transport::Socket socket;
    Clock::time_point deadline;
    std::string request;
    std::string answer;  // empty: the request is not whole yet
    size_t written = 0;  // of the answer
    bool shut = false;   // all is written: the peer's end is waited for
  };
  using Connections = std::list<Connection>;  // the oldest first

  HttpServer(std::unique_ptr<transport::TcpListener> listener, Handler handler, Options options,
             std::unique_ptr<transport::Waiter> waiter, transport::Socket epoll);

  void Run();
  void AcceptAll();
  // Goes on with one; false: it is over.
  bool Serve(Connection& connection);
  bool Read(Connection& connection);
  bool Write(Connection& connection);

  const std::unique_ptr<transport::TcpListener> listener_;
  const Handler handler_;
  const Options options_;
  const std::unique_ptr<transport::Waiter> waiter_;
  const transport::Socket epoll_;
  std::atomic<bool> stopping_ = false;
  Connections connections_;
  Clock::time_point accept_again_ = Clock::time_point::min();
  std::thread thread_;  // last: it uses all the others
};

}  // namespace sockflow::health
