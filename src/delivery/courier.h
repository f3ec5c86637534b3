// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "delivery/pace.h"
#include "delivery/spool.h"
#include "sockflow/ipfix/message.h"
#include "sockflow/time.h"
#include "sockflow/transport.h"
#include "transport/waiter.h"

namespace sockflow::delivery {

// One message and what is to be known of it without reading it.
struct Cargo {
  enum class Kind : uint8_t {
    kFlows,       // flow records
    kStatistics,  // of the exporter itself: of no use to anybody later
    kPreamble,    // templates: belong to one transport session
  };

  ipfix::Message message;
  Kind kind = Kind::kFlows;
  // Of the flows that the records tell of (RFC 7011 4.3).
  uint64_t flow_packets = 0;
  uint64_t flow_octets = 0;
  // What a transport session must have begun with for these records to be read; null: the courier's.
  std::shared_ptr<const Preamble> preamble;

  uint64_t flow_records() const { return kind == Kind::kFlows ? message.records : 0; }
};

struct DeliveryStats {
  // Accepted by the transport; templates and statistics included, but in `records`.
  uint64_t messages = 0;
  uint64_t octets = 0;
  uint64_t records = 0;
  // Never sent, or known not to have arrived: flow records, and what they told of.
  uint64_t lost_records = 0;
  uint64_t lost_flow_packets = 0;
  uint64_t lost_flow_octets = 0;
  std::map<std::string, uint64_t, std::less<>> lost_by_reason;  // records: "queue_full", ...
  std::optional<Time> first_loss;
  std::optional<Time> last_loss;
  uint64_t queued_records = 0;   // waiting in memory
  uint64_t queued_octets = 0;    // of messages that wait in memory, and
  uint64_t queue_capacity = 0;   // most that may
  uint64_t spooled_records = 0;  // waiting on disk, those of an earlier run of the agent too
  uint64_t spooled_octets = 0;   // on disk
  uint64_t spool_capacity = 0;   // 0: there is no spool
  bool open = false;             // in a transport session now (of UDP: it can send)
  uint64_t sessions = 0;         // transport sessions begun
  uint64_t failed_opens = 0;     // attempts at one that failed
};

// Brings the messages of one collector to it, in a thread of its own, so that nothing that a network,
// a name server or a disk does can hold up the pipeline. Queues what cannot leave yet, in memory and
// then on disk; begins transport sessions, each with the preamble; gives messages their sequence
// numbers.
//
// Several transports are alternatives, the first that can be opened is used (failover).
class Courier {
 public:
  using Clock = Transport::Clock;

  struct Options {
    Preamble preamble;
    // Octets of messages that wait in memory.
    size_t queue_octets = 8 << 20;
    // Shortest time between two attempts to open the same transport (RFC 7011 10.4.4).
    Duration reconnect_interval = std::chrono::seconds(60);
    // Where templates may be forgotten, the preamble is sent again so often,
    Duration template_refresh = std::chrono::seconds(30);
    // and after so many messages; 0: by time only.
    uint64_t template_refresh_messages = 0;
    // Datagrams sent back to back, which the collector's receive buffer must hold; more where more come
    // in steadily (Pace); 0: no limit.
    size_t burst_messages = 16;
    uint32_t first_sequence = 0;
    // Where messages wait for which memory has too little room. Unset: nowhere, they are lost.
    std::optional<Spool::Options> spool;
  };

  // kUnavailable: the system gives no thread or no descriptor; kFailedPrecondition: the spool cannot be
  // used, and why. A spool that another courier has is waited for: it may be about to end.
  static absl::StatusOr<std::unique_ptr<Courier>> Start(
      Options options, std::vector<std::unique_ptr<Transport>> transports);
  // Finishes at once if Finish was not called.
  ~Courier();

  // Takes a message, whose header needs no sequence and no time yet. Never waits. One that finds no
  // room is lost, and counted. Returns memory for the octets of the next one, or none: to allocate in one
  // thread what another frees costs both of them.
  std::vector<uint8_t> Put(Cargo cargo);

  // The last messages of a session, statistics, made when all else has been sent; called in the thread.
  using Farewell = std::function<std::vector<ipfix::Message>(const DeliveryStats&)>;

  // Whether half of the memory for messages that wait is free: for who can wait rather than lose some.
  bool has_room() const;

  // No more messages come. What waits in memory is sent until the deadline, the rest goes to the spool
  // or is lost; the session is ended in order. Returns at once.
  void Finish(Clock::time_point deadline, Farewell farewell = nullptr);
  // True when that is done.
  bool finished() const { return finished_.load(); }

  DeliveryStats stats() const;
  const std::string& name() const { return name_; }

 private:
  // Messages for one system call where the number is not limited.
  static constexpr size_t kLargestBurst = 64;
  // Memory of messages that is kept for others: so many, of at most this size.
  static constexpr size_t kSpares = 64, kLargestSpare = 4096;
  static constexpr size_t kNever = std::numeric_limits<size_t>::max();

  struct Candidate {
    std::unique_ptr<Transport> transport;
    Clock::time_point next_attempt = Clock::time_point::min();
    // What was logged last of its failures, when the same may be logged again, and how often it was
    // not.
    std::string complaint;
    Clock::time_point next_complaint = Clock::time_point::min();
    uint64_t complaints_left_out = 0;
  };

  Courier(Options options, std::vector<std::unique_ptr<Transport>> transports,
          std::unique_ptr<transport::Waiter> waiter);

  absl::Status OpenSpool();

  // All that follows runs in the thread.
  void Run();
  bool Finished();
  void SayFarewell();
  void TakeInbox();
  void Enqueue(Cargo cargo);
  void Leave();
  void PutBackInSpool();

  void TendSpool();
  // With the mutex: how much is on disk.
  void CountSpooled();
  // Moves a message to the disk; false: it could not be written.
  bool PutInSpool(const Cargo& cargo);
  void TakeFromSpool();
  // When queue_ is empty: with what comes next.
  void FillQueue();
  bool HasMessages() const;  // that wait in memory or on disk, and may be sent
  void CountDamage(const Damage& damage);

  void TendSession();
  bool TryOpen(size_t index);
  void AppendPreamble();
  void OnSessionOver(const absl::Status& why);
  void CloseSession();
  Transport& current() { return *transports_[*open_].transport; }
  const std::shared_ptr<const Preamble>& PreambleOf(const Cargo& cargo) const {
    return cargo.preamble != nullptr ? cargo.preamble : preamble_;
  }

  // Sends what may leave now, templates first.
  void SendDue();
  // False if nothing more can be sent now.
  bool SendBurst(std::deque<Cargo>& queue);
  void ApplySkipped();
  // Forgets what has arrived.
  void Confirm();

  void CountLoss(uint64_t records, std::string_view reason);
  void CountLoss(const Cargo& cargo, std::string_view reason);
  void Lose(const Cargo& cargo, std::string_view reason, std::string_view why);
  void LogLosses(std::string_view why);
  void Complain(Candidate& candidate, std::string complaint, std::string_view more);
  // Until there is something to do.
  void WaitForWork();
  // When a call to a transport has to come back.
  Clock::time_point Patience(Duration longest) const;
  Clock::time_point stop_deadline() const {
    return Clock::time_point(Clock::duration(stop_deadline_.load()));
  }

  const Options options_;
  const std::string name_;
  const std::shared_ptr<const Preamble> preamble_;
  std::vector<Candidate> transports_;
  const std::unique_ptr<transport::Waiter> waiter_;
  Farewell farewell_;  // set before stopping_, then the thread's own
  std::atomic<bool> stopping_ = false;
  std::atomic<Clock::rep> stop_deadline_ = 0;
  std::atomic<bool> finished_ = false;

  // Shared between the threads.
  mutable std::mutex mutex_;
  std::vector<Cargo> inbox_;
  std::vector<std::vector<uint8_t>> spares_;
  size_t waiting_octets_ = 0;  // of the inbox and of queue_
  // Put wakes the thread when so many octets wait.
  size_t wake_octets_ = kNever;
  std::map<uint32_t, uint32_t> skipped_;  // by domain: records lost before they had a number
  DeliveryStats stats_;

  // The thread's own.
  std::unique_ptr<Spool> spool_;  // null: none, or another courier has it
  Clock::time_point next_spool_attempt_ = Clock::time_point::max();
  bool spool_failed_ = false;  // the last write; logged once
  // The preamble of what was taken from the spool last, as it was there and as it is in Cargo.
  std::shared_ptr<const Preamble> spooled_preamble_, taken_preamble_;
  std::vector<Cargo> taken_;  // empty: memory for the inbox
  std::deque<Cargo> queue_;
  std::deque<Cargo> behind_spool_;  // younger than what is on disk, which took no more
  size_t queue_octets_ = 0;  // when the inbox was taken last
  std::deque<Cargo> templates_;    // of the preamble, still to be sent
  std::deque<Cargo> unconfirmed_;  // accepted, perhaps not arrived
  std::optional<size_t> open_;     // of transports_
  std::shared_ptr<const Preamble> session_preamble_;  // of the open session
  bool busy_ = false;  // the transport has no room
  bool sent_ = false;  // something, since the last wait
  ipfix::SequenceNumbers sequence_;
  Clock::time_point next_refresh_ = Clock::time_point::max();
  uint64_t messages_since_refresh_ = 0;  // but those of the preamble
  Pace pace_;
  Clock::time_point next_log_ = Clock::time_point::min();
  uint64_t logged_losses_ = 0;
  std::vector<std::span<const uint8_t>> burst_;
  std::vector<std::vector<uint8_t>> used_;  // spares to be

  std::thread thread_;  // last: it uses all the others
};

}  // namespace sockflow::delivery
