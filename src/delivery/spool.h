// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "delivery/segment.h"
#include "sockflow/ipfix/message.h"
#include "transport/socket.h"

namespace sockflow::delivery {

// A bounded queue of messages on disk, first in, first out, which survives a restart of the agent.
// The messages lie in segment files (segment.h), each with the preamble that its data needs,
// because after a restart the configuration, and with it the templates, may be another.
//
// A crash of the agent loses nothing that Append accepted, and delivers at most the message once
// more that was sent and not popped. A crash of the host loses what the kernel had not written to
// the disk (about 30 seconds) and may deliver again what was popped since: only Close waits for the
// disk. What is damaged is skipped and counted, never fatal.
//
// One thread uses it. The process must ignore SIGXFSZ.
class Spool {
 public:
  static constexpr uint64_t kLargestSegment = 64 << 20;
  // Of segment files; the numbers before are for PutBefore.
  static constexpr uint64_t kFirstNumber = 1'000'000;

  struct Options {
    std::string directory;  // for one collector alone; made (0700) if only its last part is missing
    uint64_t max_octets = 0;  // of all segment files
    // A file is removed when all in it was popped, so at most so much of the limit is held by what
    // is gone. Never more than a quarter of max_octets.
    uint64_t segment_octets = 4 << 20;
  };

  // A message that waits, and what must have been sent before it in its transport session. Messages
  // of one preamble have the same pointer while they come from one segment.
  struct Item {
    ipfix::Message message;
    std::shared_ptr<const Preamble> preamble;
  };

  // Reads and checks all that is there, and adds what is not whole to `damage`. Files of other
  // names are left alone. kFailedPrecondition: the directory cannot be used; kUnavailable: another
  // agent uses it; kInvalidArgument: the limits make no sense.
  static absl::StatusOr<std::unique_ptr<Spool>> Open(Options options, Damage* damage);
  // As a crash of the agent leaves it.
  ~Spool() = default;

  // kResourceExhausted: the limit would be passed, or the disk is full; kInvalidArgument: longer
  // than any IPFIX message. After an error nothing of the message is in the spool.
  absl::Status Append(const ipfix::Message& message, const Preamble& preamble);

  // Puts messages, of one preamble and with the oldest first, before all that wait, of which there must
  // be some; only this and Close may follow. Errors as those of Append, after which none of the
  // messages is in the spool.
  absl::Status PutBefore(std::span<const ipfix::Message* const> messages, const Preamble& preamble);

  // The item that follows `index` others, read from the disk when first asked for and then kept in
  // memory until it is popped. Null: there are no more. Valid until the next call of Pop.
  const Item* At(size_t index);
  const Item* Front() { return At(0); }
  // Removes the first item, if there is one.
  void Pop();

  bool empty() const { return messages_ == 0; }
  uint64_t messages() const { return messages_; }
  uint64_t records() const { return records_; }  // in messages()
  uint64_t octets() const { return octets_; }  // on disk, with what was popped and not removed yet

  // What was whole and is not any more, since the last call.
  Damage TakeDamage();

  // Brings all to the disk. Nothing may be called afterwards.
  absl::Status Close();

 private:
  struct Segment {
    uint64_t number = 0;
    uint64_t octets = 0;    // of the file
    uint64_t messages = 0;  // not popped
    uint64_t records = 0;   // in them
    bool is_dirty = false;  // written since Open
  };
  // The last segment, if it was begun since Open: an old one is never appended to.
  struct Writing {
    transport::Socket fd;
    std::shared_ptr<const Preamble> preamble;
    uint32_t preamble_crc = 0;
    uint32_t first_entry = 0;
    Tally tally;
  };
  // The segment that At reads next.
  struct Reading {
    uint64_t number = 0;
    transport::Socket fd;
    std::shared_ptr<const Preamble> preamble;
    std::deque<Entry> entries;  // not read yet
  };
  struct Ahead {
    Item item;
    uint64_t segment;
    uint32_t end;  // offset behind its entry
  };

  Spool(Options options, transport::Socket lock);

  std::string PathOf(uint64_t number) const;
  // Finds the segments of an earlier agent.
  absl::Status Scan(Damage& damage);
  absl::StatusOr<SegmentContents> Load(uint64_t number, transport::Socket& fd) const;
  bool MayAppendTo(const Preamble& preamble, uint64_t octets) const;
  absl::Status BeginSegment(const Preamble& preamble, uint64_t octets);
  // Reads one item more; false: there is none.
  bool ReadAhead();
  void BeginReading(Segment& segment);
  void Lose(Segment& segment, const Damage& lost);
  absl::Status Full() const;
  // Removes what nothing waits in.
  void Trim();
  void StorePosition(uint32_t offset);
  void StoreTally(const Tally& tally);

  Options options_;
  transport::Socket lock_;
  std::deque<Segment> segments_;  // by number; one at least while anything waits
  uint64_t next_number_ = kFirstNumber;
  Writing writing_;
  Reading reading_;
  std::deque<Ahead> ahead_;
  transport::Socket position_;  // the first segment, for StorePosition
  uint64_t messages_ = 0;
  uint64_t records_ = 0;
  uint64_t octets_ = 0;
  Damage damage_;
};

}  // namespace sockflow::delivery
