// SPDX-License-Identifier: MIT

// Where the messages of a courier wait: in memory, then on disk.

#include <algorithm>
#include <iterator>
#include <utility>

#include "delivery/courier.h"
#include "fmt/format.h"
#include "spdlog/spdlog.h"

namespace sockflow::delivery {
namespace {

constexpr Duration kSpoolRetryInterval = std::chrono::seconds(1);

}  // namespace

std::vector<uint8_t> Courier::Put(Cargo cargo) {
  const size_t octets = cargo.message.octets.size();
  std::vector<uint8_t> spare;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_octets_ + octets <= options_.queue_octets) {
      waiting_octets_ += octets;
      stats_.queued_records += cargo.flow_records();
      inbox_.push_back(std::move(cargo));
      if (waiting_octets_ >= wake_octets_) {
        // Once: what has been woken looks for itself before it sleeps again.
        wake_octets_ = kNever;
        waiter_->Wake();
      }
      if (!spares_.empty()) {
        spare = std::move(spares_.back());
        spares_.pop_back();
      }
      return spare;
    }
    skipped_[ipfix::ObservationDomainOf(cargo.message.octets)] += cargo.message.records;
  }
  Lose(cargo, "queue_full",
       fmt::format("{}: the queue of what waits is full; raise exporter.queue_bytes", name_));
  // It goes nowhere, so its memory may serve again.
  return std::move(cargo.message.octets);
}

bool Courier::has_room() const {
  const std::lock_guard lock(mutex_);
  return waiting_octets_ <= options_.queue_octets / 2;
}

void Courier::TakeInbox() {
  {
    const std::lock_guard lock(mutex_);
    taken_.swap(inbox_);
  }
  pace_.Arrived(taken_.size(), Clock::now());
  for (Cargo& cargo : taken_) Enqueue(std::move(cargo));
  taken_.clear();
  // After a flood its memory is not needed any more.
  if (taken_.capacity() > 64 * kSpares) taken_ = {};
  const std::lock_guard lock(mutex_);
  queue_octets_ = waiting_octets_;
  for (const Cargo& cargo : inbox_) queue_octets_ -= cargo.message.octets.size();
}

// In memory while there is room, then on disk; and behind what is on disk as long as that is there, so
// that what was first stays first.
void Courier::Enqueue(Cargo cargo) {
  if (spool_ == nullptr && cargo.kind != Cargo::Kind::kStatistics) {
    queue_.push_back(std::move(cargo));
    return;
  }
  bool behind = false;
  {
    const std::lock_guard lock(mutex_);
    if (cargo.kind == Cargo::Kind::kStatistics && !open_.has_value()) {
      waiting_octets_ -= cargo.message.octets.size();
      return;
    }
    behind = spool_ != nullptr && cargo.kind == Cargo::Kind::kFlows &&
             (!spool_->empty() || !behind_spool_.empty() ||
              waiting_octets_ > options_.queue_octets / 2);
  }
  if (!behind) {
    queue_.push_back(std::move(cargo));
    return;
  }
  // What cannot be written waits in memory after all; what finds no room there is counted.
  behind_spool_.push_back(std::move(cargo));
  while (!behind_spool_.empty() && PutInSpool(behind_spool_.front())) {
    const Cargo& written = behind_spool_.front();
    {
      const std::lock_guard lock(mutex_);
      waiting_octets_ -= written.message.octets.size();
      stats_.queued_records -= written.flow_records();
    }
    behind_spool_.pop_front();
  }
}

absl::Status Courier::OpenSpool() {
  if (!options_.spool.has_value()) return absl::OkStatus();
  Damage damage;
  auto opened = Spool::Open(*options_.spool, &damage);
  if (absl::IsUnavailable(opened.status())) {
    next_spool_attempt_ = Clock::now() + kSpoolRetryInterval;
  }
  if (!opened.ok()) return opened.status();
  spool_ = *std::move(opened);
  CountDamage(damage);
  if (spool_->records() > 0) {
    spdlog::info("{}: {} records wait in {}", name_, spool_->records(), options_.spool->directory);
  }
  const std::lock_guard lock(mutex_);
  CountSpooled();
  return absl::OkStatus();
}

void Courier::CountSpooled() {
  stats_.spooled_records = spool_->records();
  stats_.spooled_octets = spool_->octets();
}

void Courier::TendSpool() {
  if (spool_ != nullptr || Clock::now() < next_spool_attempt_) return;
  next_spool_attempt_ = Clock::time_point::max();
  const absl::Status opened = OpenSpool();
  if (opened.ok() || absl::IsUnavailable(opened)) return;
  spdlog::error("{}: {}; records wait in memory only", name_, std::string(opened.message()));
}

bool Courier::PutInSpool(const Cargo& cargo) {
  if (spool_ == nullptr) return false;
  const absl::Status written = spool_->Append(cargo.message, *PreambleOf(cargo));
  if (!written.ok() && !std::exchange(spool_failed_, true)) {
    spdlog::warn("{}: {}; what comes now waits in memory", name_, std::string(written.message()));
  }
  if (!written.ok()) return false;
  spool_failed_ = false;
  const std::lock_guard lock(mutex_);
  CountSpooled();
  return true;
}

void Courier::TakeFromSpool() {
  // What is on disk when the agent ends stays there.
  if (spool_ == nullptr || stopping_) return;
  size_t octets = 0;
  uint64_t records = 0;
  while (queue_.size() < kLargestBurst) {
    const Spool::Item* const item = spool_->Front();
    if (item == nullptr) break;
    if (item->preamble != spooled_preamble_) {
      spooled_preamble_ = item->preamble;
      // Equal ones are one: a change of the preamble is a new transport session.
      if (*item->preamble == *preamble_) {
        taken_preamble_ = preamble_;
      } else if (*item->preamble != *taken_preamble_) {
        taken_preamble_ = item->preamble;
      }
    }
    octets += item->message.octets.size();
    records += item->message.records;
    queue_.push_back({.message = item->message, .preamble = taken_preamble_});
    spool_->Pop();
  }
  CountDamage(spool_->TakeDamage());
  const std::lock_guard lock(mutex_);
  waiting_octets_ += octets;
  stats_.queued_records += records;
  CountSpooled();
}

void Courier::FillQueue() {
  TakeFromSpool();
  if (queue_.empty()) queue_.swap(behind_spool_);
}

bool Courier::HasMessages() const {
  return !queue_.empty() || !behind_spool_.empty() ||
         (spool_ != nullptr && !spool_->empty() && !stopping_);
}

void Courier::CountDamage(const Damage& damage) {
  if (!damage.any()) return;
  CountLoss(damage.records, "spool_damaged");
  spdlog::warn("{}: {} octets of the spool in {} were damaged, perhaps by a crash: {} messages with {} "
               "records are lost",
               name_, damage.octets, options_.spool->directory, damage.entries, damage.records);
}

// What is in memory comes before what is on disk, also after the next start.
void Courier::PutBackInSpool() {
  const uint64_t most = std::min(options_.spool->segment_octets, options_.spool->max_octets / 4);
  std::erase_if(queue_, [](const Cargo& cargo) { return cargo.kind != Cargo::Kind::kFlows; });
  while (!queue_.empty()) {
    const std::shared_ptr<const Preamble> preamble = PreambleOf(queue_.back());
    std::vector<const ipfix::Message*> messages;
    auto first = queue_.end();
    for (uint64_t octets = 0; first != queue_.begin() && octets < most &&
                              PreambleOf(*std::prev(first)) == preamble;) {
      --first;
      messages.push_back(&first->message);
      octets += first->message.octets.size();
    }
    std::ranges::reverse(messages);
    // Where this fails they may yet find room behind.
    if (!spool_->PutBefore(messages, *preamble).ok()) return;
    queue_.erase(first, queue_.end());
  }
}

// What could not be sent.
void Courier::Leave() {
  if (spool_ != nullptr && !spool_->empty()) PutBackInSpool();
  std::ranges::move(behind_spool_, std::back_inserter(queue_));
  behind_spool_.clear();
  uint64_t lost = 0;
  for (const Cargo& cargo : queue_) {
    if (cargo.kind == Cargo::Kind::kFlows && PutInSpool(cargo)) continue;
    CountLoss(cargo, "shutdown");
    lost += cargo.flow_records();
  }
  if (lost > 0) {
    LogLosses(fmt::format("{}: could not be reached before the agent ended; raise "
                          "exporter.shutdown_seconds if it is slow",
                          name_));
  }
  queue_.clear();
  if (spool_ != nullptr) {
    if (spool_->records() > 0) {
      spdlog::info("{}: {} records stay in {} for the next start of the agent", name_,
                   spool_->records(), options_.spool->directory);
    }
    if (absl::Status closed = spool_->Close(); !closed.ok()) {
      spdlog::warn("{}: {}", name_, std::string(closed.message()));
    }
    {
      const std::lock_guard lock(mutex_);
      CountSpooled();
    }
    spool_.reset();  // whoever comes next may have it
  }
  const std::lock_guard lock(mutex_);
  waiting_octets_ = 0;
  stats_.queued_records = 0;
}

}  // namespace sockflow::delivery
