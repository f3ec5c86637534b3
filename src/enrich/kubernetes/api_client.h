// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sockflow::kubernetes {

// How a thread asks an API, and waits between two questions. All of it can be stopped at any moment.
class ApiClient {
 public:
  using Clock = std::chrono::steady_clock;

  struct Request {
    std::string path;  // with its query: "/api/v1/pods?limit=500"
    std::string token;
    // For all of the answer.
    std::chrono::milliseconds timeout{};
  };

  // Takes the body of an answer with status 200.
  class Body {
   public:
    virtual ~Body() = default;
    // An error ends the request.
    virtual absl::Status OnOctets(std::string_view octets) = 0;
    // All that had arrived has been handed over. Returns when it wants to be called again even if
    // nothing arrives.
    virtual Clock::time_point OnPause(Clock::time_point now) = 0;
  };

  struct Answer {
    // kCancelled: Stop() was called; kUnavailable: no connection, or it broke; kUnauthenticated: TLS;
    // what the body said. OK: there is an answer.
    absl::Status status;
    int http_status = 0;
    std::string error_body;  // the begin of it, where http_status is not 200
    std::chrono::seconds retry_after{};
  };

  virtual ~ApiClient() = default;
  virtual Answer Get(const Request& request, Body& body) = 0;
  // False: Stop() was called.
  virtual bool WaitUntil(Clock::time_point deadline) = 0;
  virtual Clock::time_point Now() = 0;
  // Ends a wait before its time; the next one if there is none. From any thread.
  virtual void Hurry() = 0;
  // Ends all that goes on, and all that follows. From any thread.
  virtual void Stop() = 0;
};

// HTTPS. `server`: "https://HOST:PORT"; `ca_file`: PEM, of the authorities that may vouch for it; empty:
// those that this host trusts.
absl::StatusOr<std::unique_ptr<ApiClient>> MakeApiClient(const std::string& server,
                                                         const std::string& ca_file);

}  // namespace sockflow::kubernetes
