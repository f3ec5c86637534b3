// SPDX-License-Identifier: MIT
#include "delivery/courier.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "delivery/wall_clock.h"
#include "fmt/format.h"
#include "spdlog/spdlog.h"

namespace sockflow::delivery {
namespace {

using Clock = Courier::Clock;

// The same is logged so often at most.
constexpr auto kLogInterval = std::chrono::minutes(1);
// A transport that is asked for more than this at once keeps the queue unattended too long.
constexpr Duration kSendPatience = std::chrono::milliseconds(100);
constexpr Duration kOpenPatience = std::chrono::seconds(5);
// The same where another transport is open and has to wait meanwhile.
constexpr Duration kSwitchPatience = std::chrono::seconds(1);
// After sending, messages gather for this long: a wakeup for each would cost more than the messages.
constexpr Duration kGatherTime = std::chrono::milliseconds(5);
// There is no connection to be attempted, and the next address of a name may work.
constexpr Duration kDatagramInterval = std::chrono::seconds(1);

// By the codes that transports give (udp_transport.h).
std::string_view ReasonOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kFailedPrecondition: return "refused";
    case absl::StatusCode::kNotFound: return "no_route";
    case absl::StatusCode::kResourceExhausted: return "send_buffer_full";
    case absl::StatusCode::kAborted: return "interface_queue_full";
    case absl::StatusCode::kOutOfRange: return "message_too_long";
    case absl::StatusCode::kPermissionDenied: return "forbidden";
    default: return "send_failed";
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Courier>> Courier::Start(
    Options options, std::vector<std::unique_ptr<Transport>> transports) {
  auto waiter = transport::Waiter::Make();
  if (!waiter.ok()) return waiter.status();
  std::unique_ptr<Courier> courier(
      new Courier(std::move(options), std::move(transports), *std::move(waiter)));
  if (absl::Status spool = courier->OpenSpool(); !spool.ok()) {
    if (!absl::IsUnavailable(spool)) return spool;
    spdlog::warn("{}: {}", courier->name_, std::string(spool.message()));
  }
  try {
    courier->thread_ = std::thread([&self = *courier] { self.Run(); });
  } catch (const std::system_error& error) {
    return absl::UnavailableError(fmt::format(
        "no thread could be started: {}; raise the limit of processes", error.what()));
  }
  return courier;
}

Courier::Courier(Options options, std::vector<std::unique_ptr<Transport>> transports,
                 std::unique_ptr<transport::Waiter> waiter)
    : options_(std::move(options)),
      name_(transports.front()->name()),
      preamble_(std::make_shared<const Preamble>(options_.preamble)),
      waiter_(std::move(waiter)),
      taken_preamble_(preamble_),
      sequence_(options_.first_sequence),
      pace_(options_.burst_messages) {
  for (auto& transport : transports) transports_.push_back({.transport = std::move(transport)});
}

Courier::~Courier() {
  if (!stopping_) Finish(Clock::now());
  if (thread_.joinable()) thread_.join();
}

void Courier::Finish(Clock::time_point deadline, Farewell farewell) {
  farewell_ = std::move(farewell);
  stop_deadline_ = deadline.time_since_epoch().count();
  stopping_ = true;
  waiter_->Wake();
}

DeliveryStats Courier::stats() const {
  const std::lock_guard lock(mutex_);
  DeliveryStats stats = stats_;
  stats.queued_octets = waiting_octets_;
  stats.queue_capacity = options_.queue_octets;
  if (options_.spool.has_value()) stats.spool_capacity = options_.spool->max_octets;
  return stats;
}

void Courier::Run() {
  while (!Finished()) {
    TakeInbox();
    TendSpool();
    TendSession();
    if (open_.has_value()) SendDue();
    WaitForWork();
  }
  CloseSession();
  TakeInbox();
  Leave();
  finished_ = true;
}

bool Courier::Finished() {
  if (!stopping_) return false;
  const auto now = Clock::now();
  if (now >= stop_deadline()) return true;
  const bool waiting = [this] {
    const std::lock_guard lock(mutex_);
    return waiting_octets_ > 0;
  }();
  if (open_.has_value()) {
    if (waiting || !templates_.empty() || busy_) return false;
    if (farewell_ == nullptr) return true;
    SayFarewell();
    return false;
  }
  // One that was never tried may work; one that failed is not tried again so soon.
  return !waiting || std::ranges::none_of(transports_, [now](const Candidate& candidate) {
    return candidate.next_attempt <= now;
  });
}

void Courier::SayFarewell() {
  for (ipfix::Message& message : std::exchange(farewell_, nullptr)(stats())) {
    const std::lock_guard lock(mutex_);
    waiting_octets_ += message.octets.size();
    queue_.push_back({.message = std::move(message), .kind = Cargo::Kind::kStatistics});
  }
}

Clock::time_point Courier::Patience(Duration longest) const {
  const auto deadline = Clock::now() + longest;
  return stopping_ ? std::min(deadline, stop_deadline()) : deadline;
}

void Courier::TendSession() {
  if (open_.has_value()) {
    const auto now = Clock::now();
    if (current().next_check() <= now ||
        (current().fd() >= 0 && waiter_->Wait(current().fd(), transport::Waiter::kReadable, now))) {
      const Transport::Result result = current().Check();
      if (result.outcome == Transport::Outcome::kSessionOver) OnSessionOver(result.status);
    }
  }
  if (open_.has_value() && !queue_.empty() && PreambleOf(queue_.front()) != session_preamble_) {
    // Of an earlier configuration, or the first one after such: other templates, another session.
    CloseSession();
  }
  for (size_t i = 0; i < open_.value_or(transports_.size()); ++i) {
    if (TryOpen(i)) break;
  }
}

bool Courier::TryOpen(size_t index) {
  Candidate& candidate = transports_[index];
  const auto now = Clock::now();
  if (now < candidate.next_attempt) return false;
  if (candidate.transport->opens_on_demand() && queue_.empty()) {
    FillQueue();
    if (queue_.empty()) return false;
  }
  candidate.next_attempt = now + (candidate.transport->forgets_templates()
                                      ? std::min(options_.reconnect_interval, kDatagramInterval)
                                      : options_.reconnect_interval);
  const bool was_stopping = stopping_;
  const absl::Status opened = candidate.transport->Open(
      *waiter_, Patience(open_.has_value() ? kSwitchPatience : kOpenPatience));
  if (!opened.ok()) {
    // Cut short by the end of the agent: it may yet work in the time that is left for that.
    if (stopping_ && !was_stopping) candidate.next_attempt = Clock::time_point::min();
    Complain(candidate, std::string(opened.message()),
             fmt::format(" (tried again in {:g} s)",
                         std::chrono::duration<double>(std::max(candidate.next_attempt, now) - now)
                             .count()));
    const std::lock_guard lock(mutex_);
    ++stats_.failed_opens;
    return false;
  }
  if (open_.has_value()) CloseSession();  // of one that we like less
  open_ = index;
  if (transports_.size() > 1) spdlog::info("{}: in use", candidate.transport->name());
  sequence_.Restart();
  session_preamble_ = queue_.empty() ? preamble_ : PreambleOf(queue_.front());
  AppendPreamble();
  busy_ = false;
  messages_since_refresh_ = 0;
  next_refresh_ = current().forgets_templates() ? Clock::now() + options_.template_refresh
                                                : Clock::time_point::max();
  const std::lock_guard lock(mutex_);
  ++stats_.sessions;
  stats_.open = true;
  skipped_.clear();  // numbers begin anew
  return true;
}

void Courier::AppendPreamble() {
  for (const ipfix::Message& message : *session_preamble_) {
    templates_.push_back({.message = message, .kind = Cargo::Kind::kPreamble});
  }
}

void Courier::OnSessionOver(const absl::Status& why) {
  const size_t lost = current().unconfirmed();
  // What may not have arrived is sent again.
  while (unconfirmed_.size() > lost) unconfirmed_.pop_front();
  size_t octets = 0;
  uint64_t records = 0, messages = 0;
  for (; !unconfirmed_.empty(); unconfirmed_.pop_back()) {
    Cargo& cargo = unconfirmed_.back();
    if (cargo.kind == Cargo::Kind::kPreamble) continue;
    octets += cargo.message.octets.size();
    records += cargo.flow_records();
    ++messages;
    queue_.push_front(std::move(cargo));
  }
  if (!why.ok()) {
    Complain(transports_[*open_], std::string(why.message()),
             messages == 0 ? ""
                           : fmt::format("; {} messages that may not have arrived are sent again",
                                         messages));
  } else {
    // Orderly: nothing has failed, so nothing is to be waited for.
    transports_[*open_].next_attempt = Clock::time_point::min();
  }
  open_.reset();
  templates_.clear();
  busy_ = false;
  next_refresh_ = Clock::time_point::max();
  const std::lock_guard lock(mutex_);
  stats_.open = false;
  waiting_octets_ += octets;
  stats_.queued_records += records;
  stats_.records -= records;
  stats_.messages -= messages;
  stats_.octets -= octets;
}

void Courier::CloseSession() {
  if (!open_.has_value()) return;
  const absl::Status closed = current().Close(*waiter_, Patience(kOpenPatience));
  const bool harmless = current().unconfirmed() == 0 ||
                        std::ranges::all_of(unconfirmed_, [](const Cargo& cargo) {
                          return cargo.kind == Cargo::Kind::kPreamble;
                        });
  // That templates did not arrive is no news of a session that is over anyway.
  OnSessionOver(harmless ? absl::OkStatus() : closed);
}

void Courier::ApplySkipped() {
  std::map<uint32_t, uint32_t> skipped;
  {
    const std::lock_guard lock(mutex_);
    if (skipped_.empty()) return;
    skipped.swap(skipped_);
  }
  for (const auto& [domain, records] : skipped) sequence_.Skip(domain, records);
}

void Courier::SendDue() {
  if (Clock::now() < pace_.next()) return;
  const bool too_many = options_.template_refresh_messages != 0 &&
                        messages_since_refresh_ >= options_.template_refresh_messages;
  if (current().forgets_templates() && (Clock::now() >= next_refresh_ || too_many)) {
    // The time to look a name up again, too.
    const Transport::Result result = current().Check();
    if (result.outcome == Transport::Outcome::kSessionOver) return OnSessionOver(result.status);
    if (templates_.empty()) AppendPreamble();
    next_refresh_ = Clock::now() + options_.template_refresh;
    messages_since_refresh_ = 0;
  }
  if (busy_ || !templates_.empty()) {
    if (!SendBurst(templates_)) return;
  }
  if (!templates_.empty()) return;
  if (queue_.empty()) {
    FillQueue();
    if (!queue_.empty() && PreambleOf(queue_.front()) != session_preamble_) return;
  }
  if (!queue_.empty()) SendBurst(queue_);
}

bool Courier::SendBurst(std::deque<Cargo>& queue) {
  ApplySkipped();
  const bool paced = current().forgets_templates() && options_.burst_messages != 0;
  size_t most = std::min(queue.size(), paced ? pace_.burst() : kLargestBurst);
  if (&queue == &queue_ && current().forgets_templates() &&
      options_.template_refresh_messages > messages_since_refresh_) {
    most = std::min<size_t>(most, options_.template_refresh_messages - messages_since_refresh_);
  }
  const Time now = WallClockNow();
  burst_.clear();
  for (size_t i = 0; i < most; ++i) {
    if (queue[i].kind != Cargo::Kind::kPreamble && PreambleOf(queue[i]) != session_preamble_) break;
    ipfix::Message& message = queue[i].message;
    sequence_.Stamp(message.octets, message.records, now);
    burst_.emplace_back(message.octets);
  }
  const Transport::Result result = current().Send(burst_, *waiter_, Patience(kSendPatience));
  const bool lost = result.outcome == Transport::Outcome::kMessageLost;
  // A lost message keeps its number: that is how the far side sees the loss.
  for (size_t i = burst_.size(); i > result.accepted + (lost ? 1 : 0); --i) {
    sequence_.Unstamp(queue[i - 1].message.octets, queue[i - 1].message.records);
  }
  uint64_t octets = 0, records = 0, waiting = 0;
  for (size_t i = 0; i < result.accepted; ++i) {
    Cargo& cargo = queue.front();
    octets += cargo.message.octets.size();
    records += cargo.flow_records();
    if (cargo.kind != Cargo::Kind::kPreamble) {
      waiting += cargo.message.octets.size();
      ++messages_since_refresh_;
    }
    unconfirmed_.push_back(std::move(cargo));
    queue.pop_front();
  }
  sent_ = sent_ || result.accepted > 0;
  Confirm();
  {
    const std::lock_guard lock(mutex_);
    for (; !used_.empty() && spares_.size() < kSpares; used_.pop_back()) {
      spares_.push_back(std::move(used_.back()));
    }
    stats_.messages += result.accepted;
    stats_.octets += octets;
    stats_.records += records;
    stats_.queued_records -= records;
    waiting_octets_ -= waiting;
  }
  busy_ = result.outcome == Transport::Outcome::kBusy;
  if (paced) pace_.Sent(Clock::now());
  if (lost) {
    Cargo cargo = std::move(queue.front());
    queue.pop_front();
    if (cargo.kind != Cargo::Kind::kPreamble) {
      const std::lock_guard lock(mutex_);
      waiting_octets_ -= cargo.message.octets.size();
      stats_.queued_records -= cargo.flow_records();
    }
    Lose(cargo, ReasonOf(result.status), std::string(result.status.message()));
    // With an alternative, a collector that refuses is one that is not there.
    if (transports_.size() > 1 && absl::IsFailedPrecondition(result.status)) {
      OnSessionOver(result.status);
      return false;
    }
  }
  if (result.outcome == Transport::Outcome::kSessionOver) {
    OnSessionOver(result.status);
    return false;
  }
  return !busy_;
}

void Courier::Confirm() {
  used_.clear();
  for (const size_t keep = current().unconfirmed(); unconfirmed_.size() > keep; unconfirmed_.pop_front()) {
    std::vector<uint8_t>& octets = unconfirmed_.front().message.octets;
    if (octets.capacity() <= kLargestSpare) used_.push_back(std::move(octets));
  }
}

void Courier::CountLoss(uint64_t records, std::string_view reason) {
  const std::lock_guard lock(mutex_);
  const Time now = WallClockNow();
  stats_.lost_records += records;
  stats_.lost_by_reason.try_emplace(std::string(reason), 0).first->second += records;
  if (!stats_.first_loss.has_value()) stats_.first_loss = now;
  stats_.last_loss = now;
}

void Courier::CountLoss(const Cargo& cargo, std::string_view reason) {
  if (cargo.kind != Cargo::Kind::kFlows) return;
  CountLoss(cargo.message.records, reason);
  const std::lock_guard lock(mutex_);
  stats_.lost_flow_packets += cargo.flow_packets;
  stats_.lost_flow_octets += cargo.flow_octets;
}

void Courier::Lose(const Cargo& cargo, std::string_view reason, std::string_view why) {
  CountLoss(cargo, reason);
  LogLosses(why);
}

// A collector that is away must not fill the log.
void Courier::LogLosses(std::string_view why) {
  uint64_t more = 0, all = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    if (now < next_log_) return;
    next_log_ = now + kLogInterval;
    all = stats_.lost_records;
    more = all - std::exchange(logged_losses_, all);
  }
  spdlog::warn("{} ({} records lost since the last such line, {} in all)", why, more, all);
}

void Courier::Complain(Candidate& candidate, std::string complaint, std::string_view more) {
  const auto now = Clock::now();
  if (complaint == candidate.complaint && now < candidate.next_complaint) {
    ++candidate.complaints_left_out;
    return;
  }
  const uint64_t left_out = std::exchange(candidate.complaints_left_out, 0);
  spdlog::warn("{}{}{}", complaint, more,
               left_out == 0 ? "" : fmt::format("; {} lines about this were left out", left_out));
  candidate.complaint = std::move(complaint);
  candidate.next_complaint = now + kLogInterval;
}

void Courier::WaitForWork() {
  if (busy_ || Finished()) return;  // a busy transport has waited already
  auto next = stopping_ ? stop_deadline() : Clock::time_point::max();
  if (spool_ == nullptr) next = std::min(next, next_spool_attempt_);
  size_t wake_octets = 1;
  int fd = -1;
  if (open_.has_value()) {
    const auto now = Clock::now();
    fd = current().fd();
    next = std::min({next, current().next_check(), next_refresh_});
    for (size_t i = 0; i < *open_; ++i) next = std::min(next, transports_[i].next_attempt);
    const bool more = !templates_.empty() || HasMessages();
    if (more && now >= pace_.next()) return;
    if (more || std::exchange(sent_, false)) {
      waiter_->Wait(fd, transport::Waiter::kReadable,
                    std::min(next, more ? pace_.next() : now + kGatherTime));
      return;
    }
  } else {
    bool on_demand = false;
    for (const Candidate& candidate : transports_) {
      on_demand = on_demand || candidate.transport->opens_on_demand();
      if (!candidate.transport->opens_on_demand() || HasMessages()) {
        next = std::min(next, candidate.next_attempt);
      }
    }
    // All that can be done for messages before the next attempt is to put many on disk at once.
    if (!on_demand || HasMessages()) {
      wake_octets = spool_ == nullptr ? kNever : queue_octets_ + options_.queue_octets / 4;
    }
  }
  {
    const std::lock_guard lock(mutex_);
    if (!inbox_.empty() && waiting_octets_ >= wake_octets) return;
    wake_octets_ = wake_octets;
  }
  waiter_->Wait(fd, transport::Waiter::kReadable, next);
  const std::lock_guard lock(mutex_);
  if (std::exchange(wake_octets_, kNever) == kNever) {
    // Was woken, perhaps only after the wait was over: that must not end a later one.
    waiter_->Wait(-1, 0, Clock::time_point::min());
  }
}

}  // namespace sockflow::delivery
