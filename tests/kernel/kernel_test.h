// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sockflow/session.h"
#include "sockflow/session_event.h"
#include "sockflow/session_table.h"
#include "source/ebpf/ebpf_event_source.h"
#include "tests/kernel/actors.h"

namespace sockflow::testing {

struct Record {
  SessionRecord::Kind kind;
  Session session;
};

// Attaches one tier's real hooks (SOCKFLOW_TIER, else the best that this kernel allows) and watches
// the sessions of one port. Each test makes its own sessions in processes of its own; whatever else
// happens on the host is ignored.
class KernelTest : public ::testing::Test {
 protected:
  void SetUp() override;

  // Opens hooks of its own with these options, instead of those that all tests share (loading them
  // takes seconds under emulation).
  void Attach(const EbpfEventSource::Options& options);
  // The same, and what these hooks find is told, too.
  void AttachAndFind(const EbpfEventSource::Options& options);

  // Reads events until `count` sessions of the port have ended and a moment longer, so that one end
  // too many shows. Fails the test when that takes longer than `patience`.
  void CollectEnds(uint16_t port, size_t count,
                   std::chrono::seconds patience = std::chrono::seconds(20));
  // Reads events for this long.
  void CollectFor(std::chrono::milliseconds time);

  // Start and end records of the sessions that touch the port, in order.
  std::vector<Record> Records(uint16_t port) const;
  const std::vector<Record>& AllRecords() const { return records_; }
  std::vector<SessionEvent> Events(uint16_t port) const;

  // The one session of the port on that side, after checking that it has exactly one start and one
  // end, in this order, and that both agree. Its facts are the end's.
  Session TheSession(uint16_t port, Direction direction) const;

  // Since the test began.
  uint64_t Lost(const std::string& reason) const;

  bool has_accept_hook() const { return tier_ != Tier::kTracepoint; }

  Tier tier_ = Tier::kTracepoint;
  std::shared_ptr<EbpfEventSource> source_;

 private:
  void Open(const EbpfEventSource::Options& options);
  void Drain();
  void Begin();
  void PollOnce(Duration wait);

  std::unique_ptr<SessionTable> table_;
  uint64_t rounds_ = 0;  // of the source
  std::vector<SessionEvent> events_;
  std::vector<Record> records_;
  std::vector<LossCounter> lost_before_;
};

// Matches a session whose owner is this process under this name.
MATCHER_P2(IsOwnedBy, pid, name, "") {
  if (!arg.process) {
    *result_listener << "has no owner";
    return false;
  }
  *result_listener << "is owned by " << arg.process->pid << " " << arg.process->name.view();
  return arg.process->pid == static_cast<uint32_t>(pid) && arg.process->name.view() == name;
}

}  // namespace sockflow::testing
