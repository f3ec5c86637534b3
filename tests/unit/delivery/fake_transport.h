// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "sockflow/transport.h"

namespace sockflow {

// What a collector was sent, and how it is to behave. Shared by the test and a courier's thread.
struct FarSide {
  using Octets = std::vector<uint8_t>;

  std::mutex mutex;
  std::vector<std::vector<Octets>> sessions;  // the messages of each
  int failed_opens = 0;
  int closes = 0;

  // Behaviour; the mutex is held when these are called.
  std::function<absl::Status()> open = [] { return absl::OkStatus(); };
  // What becomes of a message: kAll is accepted.
  std::function<Transport::Result(const Octets&)> take = [](const Octets&) {
    return Transport::Result{};
  };
  size_t unconfirmed = 0;
  bool forgets = false;
  bool on_demand = false;

  std::vector<Octets> all() {
    const std::lock_guard lock(mutex);
    std::vector<Octets> messages;
    for (const auto& session : sessions) {
      messages.insert(messages.end(), session.begin(), session.end());
    }
    return messages;
  }
};

class FakeTransport final : public Transport {
 public:
  explicit FakeTransport(FarSide& far, std::string name = "fake")
      : far_(far), name_(std::move(name)) {}

  absl::Status Open(transport::Waiter&, Clock::time_point) override {
    const std::lock_guard lock(far_.mutex);
    const absl::Status opened = far_.open();
    if (opened.ok()) {
      far_.sessions.emplace_back();
    } else {
      ++far_.failed_opens;
    }
    return opened;
  }
  Result Send(Messages messages, transport::Waiter&, Clock::time_point) override {
    const std::lock_guard lock(far_.mutex);
    Result result;
    for (const auto& message : messages) {
      const FarSide::Octets octets(message.begin(), message.end());
      const Result taken = far_.take(octets);
      if (taken.outcome != Outcome::kAll) {
        result.outcome = taken.outcome;
        result.status = taken.status;
        return result;
      }
      far_.sessions.back().push_back(octets);
      ++result.accepted;
    }
    return result;
  }
  size_t unconfirmed() override {
    const std::lock_guard lock(far_.mutex);
    return far_.unconfirmed;
  }
  absl::Status Close(transport::Waiter&, Clock::time_point) override {
    const std::lock_guard lock(far_.mutex);
    ++far_.closes;
    return absl::OkStatus();
  }
  bool forgets_templates() const override { return far_.forgets; }
  bool opens_on_demand() const override { return far_.on_demand; }
  const std::string& name() const override { return name_; }

 private:
  FarSide& far_;
  std::string name_;
};

// Until another thread has done it; false after ten seconds.
template <typename Condition>
bool Eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace sockflow
