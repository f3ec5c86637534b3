// SPDX-License-Identifier: MIT
#include "agent/pipeline.h"

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sockflow/ipfix/message_decoder.h"
#include "sockflow/ipfix/value.h"
#include "tests/unit/delivery/fake_transport.h"

namespace sockflow {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class ScriptedSource : public EventSource {
 public:
  // One list of events for each Poll; afterwards every Poll waits.
  explicit ScriptedSource(std::vector<std::vector<SessionEvent>> script, bool is_file = false)
      : script_(std::move(script)), is_file_(is_file) {}
  absl::Status Poll(Duration wait, absl::FunctionRef<void(const SessionEvent&)> deliver) override {
    waits.push_back(wait);
    ++polls;
    if (next_ < script_.size()) {
      std::this_thread::sleep_for(idle);
      for (const SessionEvent& event : script_[next_++]) deliver(event);
      return absl::OkStatus();
    }
    for (Duration waited{}; waited < wait && !woken_; waited += milliseconds(1)) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    return absl::OkStatus();
  }
  void Wake() override { woken_ = true; }
  SourceStats stats() override { return {}; }
  std::string description() const override { return "scripted"; }
  std::optional<uint32_t> own_pid() const override { return own; }
  uint64_t rounds() const override { return tells_updates ? polls : 0; }
  bool finished() const override { return is_file_ && next_ == script_.size(); }
  bool can_wait() const override { return is_file_; }

  static inline std::vector<Duration> waits;
  static inline Duration idle{};  // before each of the lists
  static inline std::optional<uint32_t> own;
  static inline bool tells_updates = false;
  uint64_t polls = 0;

 private:
  std::vector<std::vector<SessionEvent>> script_;
  bool is_file_;
  size_t next_ = 0;
  std::atomic<bool> woken_ = false;
};

// flowId, firewallEvent and userName of every record.
std::vector<std::string> Lines(FarSide& far) {
  std::vector<std::string> lines;
  ipfix::MessageDecoder decoder({});
  for (const auto& message : far.all()) {
    EXPECT_TRUE(decoder.Decode("x", message, [&](const ipfix::RecordView& record) {
      if (record.description.scope_fields > 0) return;
      std::string line;
      for (size_t i = 0; i < record.values.size(); ++i) {
        const ipfix::Element* element = record.description.fields[i].element;
        if (element->name == "firewallEvent" || element->name == "userName" ||
            element->name == "flowId") {
          ipfix::AppendValue(element, record.values[i], line);
          line += ' ';
        }
      }
      lines.push_back(line);
    }).ok());
  }
  return lines;
}

class NamingEnricher : public Enricher {
 public:
  Enriched Enrich(Session& session) override {
    session.user_name = "ada";
    return Enriched::kDone;
  }
};

// Knows the user of odd sessions when it has been asked so often.
class LateEnricher : public Enricher {
 public:
  explicit LateEnricher(int asks) : asks_(asks) {}
  Enriched Enrich(Session& session) override {
    session.user_name.clear();
    if (session.id % 2 == 0) return Enriched::kDone;
    if (--asks_ > 0) return Enriched::kLater;
    session.user_name = "late";
    return Enriched::kDone;
  }
  // Each time it is asked there are some.
  uint64_t news() const override { return static_cast<uint64_t>(news_++); }
  void GaveUp(const Session& session) override { gave_up.push_back(session.id); }
  std::vector<LossCounter> missing() const override { return {{"late_unknown", gave_up.size()}}; }

  static inline std::vector<SessionId> gave_up;

 private:
  int asks_;
  mutable int news_ = 1;
};

// Knows the user when the session is over.
class HindsightEnricher : public Enricher {
 public:
  Enriched Enrich(Session& session) override {
    session.user_name = session.ended == Time{} ? "" : "late";
    return session.ended == Time{} ? Enriched::kLater : Enriched::kDone;
  }
};

SessionEvent Event(SessionEvent::Kind kind, SessionId id) {
  SessionEvent event{.kind = kind, .id = id};
  event.at = event.started =
      std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  event.established = event.at;
  event.local = {*IpAddress::Parse("192.0.2.1"), 1};
  event.remote = {*IpAddress::Parse("192.0.2.2"), 2};
  event.announced = kind == SessionEvent::Kind::kClose;
  return event;
}

class PipelineTest : public ::testing::Test {
 protected:
  std::unique_ptr<Pipeline> Make(std::vector<std::vector<SessionEvent>> script,
                                 Pipeline::Options options, Duration interval = seconds(60),
                                 bool is_file = false, size_t queue_octets = 8 << 20) {
    ScriptedSource::waits.clear();
    ScriptedSource::idle = {};
    ScriptedSource::own.reset();
    ScriptedSource::tells_updates = false;
    std::vector<std::unique_ptr<Enricher>> enrichers;
    enrichers.push_back(std::make_unique<NamingEnricher>());
    LateEnricher::gave_up.clear();
    if (hindsight_) enrichers.push_back(std::make_unique<HindsightEnricher>());
    if (late_asks_ > 0) enrichers.push_back(std::make_unique<LateEnricher>(late_asks_));
    Exporters exporters;
    const Exporter::Options exporter{.interval = interval};
    std::vector<std::unique_ptr<Transport>> transports;
    transports.push_back(std::make_unique<FakeTransport>(far_));
    auto courier = delivery::Courier::Start({.preamble = Exporter::PreambleOf(exporter),
                                             .queue_octets = queue_octets},
                                            std::move(transports));
    EXPECT_TRUE(courier.ok()) << courier.status();
    exporters.Add(std::make_unique<Exporter>(exporter, *std::move(courier)));
    return std::make_unique<Pipeline>(std::make_unique<ScriptedSource>(std::move(script), is_file),
                                      std::move(enrichers), std::move(exporters),
                                      std::move(options));
  }

  FarSide far_;
  bool hindsight_ = false;
  int late_asks_ = 0;  // of a LateEnricher; 0: there is none
};

TEST_F(PipelineTest, EventsBecomeRecordsAndTheEndFlushes) {
  auto pipeline = Make({{Event(SessionEvent::Kind::kConnect, 1)},
                        {Event(SessionEvent::Kind::kClose, 1), Event(SessionEvent::Kind::kConnect, 2)}},
                       {.duration = milliseconds(30)});
  ASSERT_TRUE(pipeline->Run().ok());
  EXPECT_THAT(Lines(far_), ElementsAre("1 1 ada ", "1 2 ada ", "2 1 ada "));
}

TEST_F(PipelineTest, WhatASourceTellsNoMoreOfEnds) {
  std::vector<std::vector<SessionEvent>> script = {
      {Event(SessionEvent::Kind::kConnect, 1), Event(SessionEvent::Kind::kConnect, 2)}};
  for (int i = 0; i < 3; ++i) script.push_back({Event(SessionEvent::Kind::kUpdate, 2)});
  auto pipeline = Make(script, {.duration = milliseconds(30)});
  ScriptedSource::tells_updates = true;
  ASSERT_TRUE(pipeline->Run().ok());
  std::vector<std::string> lines = Lines(far_);
  lines.resize(std::min<size_t>(lines.size(), 6));
  EXPECT_THAT(lines, ElementsAre("1 1 ada ", "2 1 ada ", "2 5 ada ", "2 5 ada ", "1 2 ada ", "2 5 ada "));
}

TEST_F(PipelineTest, StopsAtOnceFromAnotherThread) {
  auto pipeline = Make({}, {});
  const auto begin = std::chrono::steady_clock::now();
  std::thread stopper([&pipeline] {
    std::this_thread::sleep_for(milliseconds(50));
    pipeline->Stop();
  });
  ASSERT_TRUE(pipeline->Run().ok());
  stopper.join();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(2));
}

TEST_F(PipelineTest, WhatWaitsForANameIsReleasedInTime) {
  auto pipeline =
      Make({{Event(SessionEvent::Kind::kEstablished, 5)}},
           {.sessions = {.owner_hold = milliseconds(20)}, .duration = milliseconds(300)},
           Duration::zero());
  std::thread stopper([&pipeline] {
    std::this_thread::sleep_for(milliseconds(150));
    pipeline->Stop();
  });
  ASSERT_TRUE(pipeline->Run().ok());
  stopper.join();
  EXPECT_THAT(Lines(far_), ElementsAre("5 1 ada "));
  // Woken for it, not by polling.
  EXPECT_LT(ScriptedSource::waits.size(), 10u);
}

TEST_F(PipelineTest, RecordsWaitForFactsInTheirOrder) {
  late_asks_ = 4;
  auto pipeline = Make({{Event(SessionEvent::Kind::kConnect, 1), Event(SessionEvent::Kind::kConnect, 2),
                         Event(SessionEvent::Kind::kClose, 1)}},
                       {.duration = milliseconds(300)}, Duration::zero());
  ASSERT_TRUE(pipeline->Run().ok());
  EXPECT_THAT(Lines(far_), ElementsAre("2 1  ", "1 1 late ", "1 2 late "));
  EXPECT_THAT(LateEnricher::gave_up, ElementsAre());
}

TEST_F(PipelineTest, RecordsDoNotWaitLongerThanTheirTime) {
  late_asks_ = 1'000'000;
  auto pipeline = Make({{Event(SessionEvent::Kind::kConnect, 1), Event(SessionEvent::Kind::kClose, 1)}},
                       {.held = {.wait = milliseconds(50)}, .duration = milliseconds(500)}, Duration::zero());
  std::thread stopper([&pipeline] {
    std::this_thread::sleep_for(milliseconds(250));
    pipeline->Stop();
  });
  ASSERT_TRUE(pipeline->Run().ok());
  stopper.join();
  EXPECT_THAT(Lines(far_), ElementsAre("1 1  ", "1 2  "));
  EXPECT_THAT(LateEnricher::gave_up, ElementsAre(1));
  // Asked for news while something waits, and no more afterwards.
  EXPECT_LT(ScriptedSource::waits.size(), 20u);
}

TEST_F(PipelineTest, TheWaitBeginsWithTheRecordHoweverLongTheSourceWaitedForIt) {
  late_asks_ = 6;
  auto pipeline = Make({{Event(SessionEvent::Kind::kConnect, 1)}},
                       {.held = {.wait = milliseconds(800)}, .duration = milliseconds(2500)}, Duration::zero());
  ScriptedSource::idle = milliseconds(1000);
  ASSERT_TRUE(pipeline->Run().ok());
  EXPECT_THAT(Lines(far_), ElementsAre("1 1 late "));
  EXPECT_THAT(LateEnricher::gave_up, ElementsAre());
}

TEST_F(PipelineTest, WhatIsHeldGoesOutAtTheEnd) {
  late_asks_ = 1'000'000;
  auto pipeline = Make({{Event(SessionEvent::Kind::kConnect, 1)}}, {.duration = milliseconds(30)});
  ASSERT_TRUE(pipeline->Run().ok());
  EXPECT_THAT(Lines(far_), ElementsAre("1 1  "));
}

TEST_F(PipelineTest, EndsWithAFile) {
  auto pipeline = Make({{Event(SessionEvent::Kind::kConnect, 1)}}, {}, seconds(60), true);
  ASSERT_TRUE(pipeline->Run().ok());
  EXPECT_THAT(Lines(far_), ElementsAre("1 1 ada "));
  EXPECT_EQ(ScriptedSource::waits.size(), 1u);
}

// More than the queue holds.
TEST_F(PipelineTest, AFileWaitsForRoom) {
  std::vector<std::vector<SessionEvent>> script;
  for (SessionId id = 1; id <= 500; ++id) script.push_back({Event(SessionEvent::Kind::kConnect, id)});
  auto pipeline = Make(script, {}, Duration::zero(), true, 4096);
  ASSERT_TRUE(pipeline->Run().ok());
  EXPECT_EQ(Lines(far_).size(), script.size());
}

TEST_F(PipelineTest, FilteredSessionsAreNotExported) {
  auto pipeline = Make(
      {{Event(SessionEvent::Kind::kConnect, 1)}},
      {.filter = {.sources = SessionFilter::Addresses{*IpAddress::Parse("192.0.2.9")}},
       .duration = milliseconds(20)});
  ASSERT_TRUE(pipeline->Run().ok());
  EXPECT_THAT(Lines(far_), ElementsAre());
}

SessionEvent OwnedEvent(SessionEvent::Kind kind, SessionId id, uint32_t pid, const char* name) {
  SessionEvent event = Event(kind, id);
  event.process = Process{.pid = pid, .name = TaskName(name)};
  event.attribution = Attribution::kCaller;
  return event;
}

// What is chosen at the start holds until the end, whatever becomes known of the session.
TEST_F(PipelineTest, ASessionIsChosenOnceForAllItsRecords) {
  auto pipeline = Make({{Event(SessionEvent::Kind::kConnect, 1), OwnedEvent(SessionEvent::Kind::kConnect, 3, 7, "a")},
                        {OwnedEvent(SessionEvent::Kind::kUpdate, 1, 7, "a")},
                        {OwnedEvent(SessionEvent::Kind::kClose, 1, 7, "a"), Event(SessionEvent::Kind::kClose, 3)}},
                       {.filter = {.rules = CompiledRules({.include = {{.process = {"a"}}}})},
                        .duration = milliseconds(50)});
  ASSERT_TRUE(pipeline->Run().ok());
  EXPECT_THAT(Lines(far_), ElementsAre("3 1 ada ", "3 2 ada "));
}

SessionEvent Started(SessionId id) { return OwnedEvent(SessionEvent::Kind::kConnect, id, 7, "a"); }
SessionEvent Closed(SessionId id) { return OwnedEvent(SessionEvent::Kind::kClose, id, 7, "a"); }

TEST_F(PipelineTest, NewRulesAreOfSessionsThatStartThen) {
  auto pipeline = Make({{Started(1)},
                        {Closed(1), Started(2)}},
                       {.filter = {.rules = CompiledRules({.exclude = {{.user = {"bob"}}}})},
                        .reload =
                            [](Exporters&, SessionFilter& filter, EventSource&) {
                              filter.rules = CompiledRules({.exclude = {{.user = {"ada"}}}});
                            },
                        .duration = milliseconds(50)});
  pipeline->Reload();
  ASSERT_TRUE(pipeline->Run().ok());
  EXPECT_THAT(Lines(far_), ElementsAre("1 1 ada ", "1 2 ada "));
}

TEST_F(PipelineTest, ByWhatEnrichersTell) {
  const std::vector<std::vector<SessionEvent>> script = {
      {Started(1), Closed(1)}};
  auto without = Make(script, {.filter = {.rules = CompiledRules({.exclude = {{.user = {"ada"}}}})},
                               .duration = milliseconds(30)});
  ASSERT_TRUE(without->Run().ok());
  EXPECT_THAT(Lines(far_), ElementsAre());
  auto with = Make(script, {.filter = {.rules = CompiledRules({.include = {{.user = {"ada"}}}})},
                            .duration = milliseconds(30)});
  ASSERT_TRUE(with->Run().ok());
  EXPECT_THAT(Lines(far_), ElementsAre("1 1 ada ", "1 2 ada "));
}

// Session 1 is over before its facts are there, 3 is not.
TEST_F(PipelineTest, RecordsThatWaitAreChosenWithTheirFacts) {
  for (const bool include : {true, false}) {
    late_asks_ = 6;
    const FilterRule rule{.user = {"late"}};
    auto pipeline = Make(
        {{Started(1), Closed(1),
          Started(3)},
         {},
         {},
         {},
         {Closed(3)}},
        {.filter = {.rules = CompiledRules(include ? FilterRules{.include = {rule}}
                                                   : FilterRules{.exclude = {rule}})},
         .duration = milliseconds(300)},
        Duration::zero());
    ASSERT_TRUE(pipeline->Run().ok());
    if (include) {
      EXPECT_THAT(Lines(far_), UnorderedElementsAre("1 1 late ", "1 2 late ", "3 1 late ", "3 2 late "));
    } else {
      EXPECT_THAT(Lines(far_).size(), 4u) << "nothing more";
    }
  }
}

// Whether the end leaves with the start, or later, or the start did not wait at all.
TEST_F(PipelineTest, FactsThatComeAfterTheStartChangeNothing) {
  hindsight_ = true;
  const FilterRule rule{.user = {"late"}};
  for (const Duration wait : {Duration::zero(), Duration(1), Duration(seconds(1))}) {
    auto pipeline = Make({{Started(1)}, {Closed(1)}},
                         {.filter = {.rules = CompiledRules({.include = {rule}})},
                          .held = {.wait = wait},
                          .duration = milliseconds(30)});
    ASSERT_TRUE(pipeline->Run().ok());
    EXPECT_THAT(Lines(far_), ElementsAre()) << wait.count();
  }
  auto pipeline = Make({{Started(1)}, {Closed(1)}},
                       {.filter = {.rules = CompiledRules({.exclude = {rule}})},
                        .held = {.wait = Duration(1)},
                        .duration = milliseconds(30)});
  ASSERT_TRUE(pipeline->Run().ok());
  EXPECT_THAT(Lines(far_), ElementsAre("1 1  ", "1 2 late "));
}

TEST_F(PipelineTest, SessionsOfItsOwnAreLeftOut) {
  auto pipeline = Make({{OwnedEvent(SessionEvent::Kind::kConnect, 1, 42, "a"),
                         OwnedEvent(SessionEvent::Kind::kConnect, 2, 43, "b")},
                        {Event(SessionEvent::Kind::kClose, 1), Event(SessionEvent::Kind::kClose, 2)}},
                       {.own_pid = 42, .duration = milliseconds(30)});
  ASSERT_TRUE(pipeline->Run().ok());
  EXPECT_THAT(Lines(far_), ElementsAre("2 1 ada ", "2 2 ada "));
}

// In a PID namespace the source knows this process by another id.
TEST_F(PipelineTest, TheSourceKnowsItsOwnIdBetter) {
  auto pipeline = Make({{OwnedEvent(SessionEvent::Kind::kConnect, 1, 42, "a"),
                         OwnedEvent(SessionEvent::Kind::kConnect, 2, 43, "b")}},
                       {.own_pid = 42, .duration = milliseconds(30)});
  ScriptedSource::own = 43;
  ASSERT_TRUE(pipeline->Run().ok());
  EXPECT_THAT(Lines(far_), ElementsAre("1 1 ada "));
}

}  // namespace
}  // namespace sockflow
