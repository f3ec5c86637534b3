// SPDX-License-Identifier: MIT
#include "transport/lookup.h"

#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "fmt/format.h"

namespace sockflow::transport {

// Shared by the thread that asks and the object that waits, either of which may go first.
struct Lookup::Answer {
  std::mutex mutex;
  std::optional<Addresses> addresses;
  Waiter* waiting = nullptr;  // woken when the answer comes
};

Lookup::Lookup(Url url, Resolver resolve)
    : url_(std::move(url)),
      resolve_(std::move(resolve)),
      is_address_(IsAddress(url_.host)),
      newest_(absl::UnavailableError(fmt::format("host {} has not been looked up yet", url_.host))) {}

void Lookup::Start() {
  if (pending_ != nullptr) return;
  if (is_address_) {
    newest_ = resolve_(url_);
    return;
  }
  pending_ = std::make_shared<Answer>();
  try {
    // The thread owns all that it touches, but for the waiter, which the mutex guards.
    std::thread([answer = pending_, resolve = resolve_, url = url_] {
      Addresses found = resolve(url);
      const std::lock_guard lock(answer->mutex);
      answer->addresses = std::move(found);
      if (answer->waiting != nullptr) answer->waiting->Wake();
    }).detach();
  } catch (const std::system_error& error) {
    pending_ = nullptr;
    // Addresses that worked are kept.
    if (newest_.ok()) return;
    newest_ = absl::ResourceExhaustedError(
        fmt::format("host {} cannot be looked up: no thread could be started: {}; raise the limit of "
                    "processes",
                    url_.host, error.what()));
  }
}

Lookup::Addresses Lookup::Get() {
  if (pending_ == nullptr) return newest_;
  {
    const std::lock_guard lock(pending_->mutex);
    if (!pending_->addresses.has_value()) {
      if (newest_.ok()) return newest_;
      return absl::UnavailableError(fmt::format(
          "host {} is still being looked up; if this lasts, check the resolver (/etc/resolv.conf), or "
          "use an address",
          url_.host));
    }
    // Addresses that worked are kept while the resolver does not.
    if (pending_->addresses->ok() || !newest_.ok()) newest_ = *std::move(pending_->addresses);
  }
  pending_ = nullptr;
  return newest_;
}

Lookup::Addresses Lookup::Get(Waiter& waiter, Clock::time_point deadline) {
  if (pending_ != nullptr) {
    const std::shared_ptr<Answer> answer = pending_;
    bool there;
    {
      const std::lock_guard lock(answer->mutex);
      answer->waiting = &waiter;
      there = answer->addresses.has_value();
    }
    // Whoever else wakes the waiter wants something more urgent than this answer.
    if (!there) waiter.Wait(-1, 0, deadline);
    const std::lock_guard lock(answer->mutex);
    answer->waiting = nullptr;
  }
  return Get();
}

}  // namespace sockflow::transport
