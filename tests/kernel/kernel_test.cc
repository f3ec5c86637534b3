// SPDX-License-Identifier: MIT
#include "tests/kernel/kernel_test.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "source/open_event_source.h"

namespace sockflow::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

std::shared_ptr<EbpfEventSource> shared_source;

constexpr Tier kTiers[] = {Tier::kFentry, Tier::kKprobe, Tier::kTracepoint};

// The best tier that this kernel allows, found once.
Tier BestTier() {
  static const Tier best = [] {
    for (Tier tier : kTiers) {
      if (EbpfEventSource::Open(tier, {}).ok()) return tier;
    }
    return Tier::kTracepoint;
  }();
  return best;
}

Tier TierUnderTest() {
  const char* name = getenv("SOCKFLOW_TIER");
  if (name == nullptr) return BestTier();
  for (Tier tier : kTiers) {
    if (ToString(tier) == name) return tier;
  }
  fprintf(stderr, "SOCKFLOW_TIER=%s: allowed are fentry, kprobe, tracepoint\n", name);
  exit(2);
}

// Detaches what all tests share.
class SharedSource : public ::testing::Environment {
 public:
  void TearDown() override { shared_source.reset(); }
};
[[maybe_unused]] const auto* const kSharedSource =
    ::testing::AddGlobalTestEnvironment(new SharedSource);

bool Touches(const Endpoint& local, const Endpoint& remote, uint16_t port) {
  return local.port == port || remote.port == port;
}

}  // namespace

void KernelTest::SetUp() {
  if (geteuid() != 0) GTEST_SKIP() << "attaching BPF programs needs root";
  tier_ = TierUnderTest();
  if (shared_source == nullptr) {
    Attach({});
    shared_source = source_;
  } else {
    source_ = shared_source;
    Drain();
    Begin();
  }
}

void KernelTest::Attach(const EbpfEventSource::Options& options) {
  ASSERT_NO_FATAL_FAILURE(Open(options));
  Drain();
  Begin();
}

void KernelTest::AttachAndFind(const EbpfEventSource::Options& options) {
  ASSERT_NO_FATAL_FAILURE(Open(options));
  Begin();
}

void KernelTest::Open(const EbpfEventSource::Options& options) {
  source_.reset();
  absl::StatusOr<std::unique_ptr<EbpfEventSource>> source = EbpfEventSource::Open(tier_, options);
  ASSERT_TRUE(source.ok()) << ToString(tier_) << ": " << source.status().message();
  source_ = *std::move(source);
}

// What earlier tests left behind.
void KernelTest::Drain() {
  ASSERT_TRUE(source_->Poll(Duration::zero(), [](const SessionEvent&) {}).ok());
}

void KernelTest::Begin() {
  lost_before_ = source_->stats().lost;
  rounds_ = source_->rounds();
  table_ = std::make_unique<SessionTable>(SessionTable::Options{});
  events_.clear();
  records_.clear();
}

void KernelTest::PollOnce(Duration wait) {
  const auto emit = [this](Session& session, SessionRecord::Kind kind) {
    records_.push_back({kind, session});
  };
  const absl::Status polled = source_->Poll(wait, [&](const SessionEvent& event) {
    events_.push_back(event);
    table_->Apply(event, emit);
  });
  ASSERT_TRUE(polled.ok()) << polled.message();
  const Time now = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  table_->Expire(now, emit);
  if (const uint64_t before = std::exchange(rounds_, source_->rounds()); before < rounds_) table_->EndUnheard(now, emit);
}

void KernelTest::CollectFor(milliseconds time) {
  const auto end = steady_clock::now() + time;
  while (steady_clock::now() < end) PollOnce(milliseconds(20));
}

void KernelTest::CollectEnds(uint16_t port, size_t count, seconds patience) {
  const auto deadline = steady_clock::now() + patience;
  const auto ended = [&] {
    const std::vector<Record> records = Records(port);
    return static_cast<size_t>(
        std::count_if(records.begin(), records.end(), [](const Record& record) {
          return record.kind == SessionRecord::Kind::kEnd;
        }));
  };
  while (ended() < count && steady_clock::now() < deadline) PollOnce(milliseconds(20));
  CollectFor(milliseconds(50));
  EXPECT_EQ(ended(), count) << "sessions of port " << port << " that ended";
}

std::vector<Record> KernelTest::Records(uint16_t port) const {
  std::vector<Record> result;
  for (const Record& record : records_) {
    if (Touches(record.session.local, record.session.remote, port)) result.push_back(record);
  }
  return result;
}

std::vector<SessionEvent> KernelTest::Events(uint16_t port) const {
  std::vector<SessionEvent> result;
  for (const SessionEvent& event : events_) {
    if (Touches(event.local, event.remote, port)) result.push_back(event);
  }
  return result;
}

Session KernelTest::TheSession(uint16_t port, Direction direction) const {
  std::vector<Record> of_side;
  for (const Record& record : Records(port)) {
    if (record.session.direction == direction) of_side.push_back(record);
  }
  EXPECT_EQ(of_side.size(), 2u) << "records of the "
                                << (direction == Direction::kActive ? "active" : "passive")
                                << " side";
  if (of_side.size() != 2) return {};
  const Session& start = of_side[0].session;
  const Session& end = of_side[1].session;
  EXPECT_EQ(of_side[0].kind, SessionRecord::Kind::kStart);
  EXPECT_EQ(of_side[1].kind, SessionRecord::Kind::kEnd);
  EXPECT_EQ(start.id, end.id);
  EXPECT_EQ(start.started, end.started);
  EXPECT_EQ(start.local, end.local);
  EXPECT_EQ(start.remote, end.remote);
  EXPECT_EQ(start.process, end.process);
  EXPECT_LE(end.started, end.ended);
  EXPECT_NE(end.netns, 0u);
  return end;
}

uint64_t KernelTest::Lost(const std::string& reason) const {
  const std::vector<LossCounter> now = source_->stats().lost;
  for (size_t i = 0; i < now.size(); ++i) {
    if (now[i].reason == reason) return now[i].count - lost_before_[i].count;
  }
  ADD_FAILURE() << "no counter " << reason;
  return 0;
}

}  // namespace sockflow::testing
