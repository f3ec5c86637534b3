// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "enrich/kubernetes/api_client.h"
#include "fmt/format.h"

namespace sockflow::kubernetes {

// A pod as the API tells it.
inline std::string PodJson(const std::string& name, const std::string& version = "1",
                           const std::string& address = "") {
  return fmt::format(
      R"({{"metadata":{{"name":"{0}","namespace":"default","uid":"uid-{0}","resourceVersion":"{1}"}},)"
      R"("spec":{{"nodeName":"node-1"}},"status":{{"phase":"Running","podIP":"{2}"}}}})",
      name, version, address);
}

inline std::string ListJson(const std::vector<std::string>& pods, const std::string& version = "10",
                            const std::string& continue_token = "") {
  return fmt::format(
      R"({{"kind":"PodList","apiVersion":"v1","metadata":{{"resourceVersion":"{}","continue":"{}"}},"items":[{}]}})",
      version, continue_token, fmt::join(pods, ","));
}

inline std::string EventJson(const std::string& type, const std::string& object) {
  return fmt::format("{{\"type\":\"{}\",\"object\":{}}}\n", type, object);
}

inline std::string BookmarkJson(const std::string& version) {
  return EventJson("BOOKMARK", R"({"metadata":{"resourceVersion":")" + version + "\"}}");
}

// One answer of a server, and how long it takes.
struct Reply {
  int status = 200;
  std::vector<std::string> body;  // as it arrives
  std::chrono::milliseconds takes{5};
  absl::Status broken;  // how the connection ended
  std::chrono::seconds retry_after{};
  std::function<void()> then;  // called at its end
};

// What a test is told afterwards.
struct ApiLog {
  std::vector<std::string> paths;
  std::vector<std::string> tokens;
  std::vector<std::chrono::milliseconds> waits;
};

// Answers from a script; when that is over, the client is stopped. Its clock moves only by what it does.
// Who looks at that clock again and again, but is done or neither asks nor waits, gets an exception: the
// test fails then, where it would go on for ever.
class FakeApi final : public ApiClient {
 public:
  FakeApi(std::deque<Reply> script, ApiLog& log) : script_(std::move(script)), log_(log) {}

  Answer Get(const Request& request, Body& body) override {
    if (script_.empty() || stopped_) return {.status = absl::CancelledError("stopped")};
    looks_ = 0;
    log_.paths.push_back(request.path);
    log_.tokens.push_back(request.token);
    const Reply reply = std::move(script_.front());
    script_.pop_front();
    Answer answer{.status = reply.broken, .http_status = reply.status, .error_body = {}, .retry_after = reply.retry_after};
    for (const std::string& octets : reply.body) {
      if (reply.status != 200) {
        answer.error_body += octets;
        continue;
      }
      if (absl::Status status = body.OnOctets(octets); !status.ok()) {
        answer.status = status;
        break;
      }
      body.OnPause(now_);
    }
    now_ += reply.takes;
    if (reply.then) reply.then();
    return answer;
  }
  bool WaitUntil(Clock::time_point deadline) override {
    if (stopped_) return false;
    looks_ = 0;
    if (std::exchange(hurry_, false)) return true;
    log_.waits.push_back(std::chrono::round<std::chrono::milliseconds>(deadline - now_));
    now_ = deadline;
    return true;
  }
  Clock::time_point Now() override {
    if (++looks_ > kMostLooks) throw std::runtime_error("looks at the clock, and does not end");
    return now_;
  }
  void Hurry() override { hurry_ = true; }
  void Stop() override { stopped_ = true; }

 private:
  static constexpr int kMostLooks = 1000;

  std::deque<Reply> script_;
  ApiLog& log_;
  Clock::time_point now_ = Clock::time_point(std::chrono::hours(1));
  int looks_ = 0;  // at the clock, since the last question or wait
  bool hurry_ = false;
  bool stopped_ = false;
};

}  // namespace sockflow::kubernetes
