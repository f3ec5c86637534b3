// SPDX-License-Identifier: MIT
#include "agent/status_pages.h"

#include <gmock/gmock.h>

#include <set>
#include <sstream>

#include "agent/metrics_page.h"
#include "gtest/gtest.h"

namespace sockflow {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

AgentStats::Collector At(const std::string& name, delivery::DeliveryStats delivery) {
  return {.name = name, .delivery = std::move(delivery)};
}

AgentStats Sample() {
  AgentStats stats{.tier = "fentry"};
  stats.stages = {{"capture", {{"table_full", 3}}}, {"session", {{"session_evicted", 4}}}};
  stats.counts.events[static_cast<size_t>(SessionEvent::Kind::kClose)] = 17;
  stats.counts.attributed[static_cast<size_t>(Attribution::kHolder)] = 18;
  stats.counts.filtered_records = 19;
  stats.sessions = {.starts = 20, .updates = 21, .ends = 22};
  stats.open_sessions = 23;
  stats.source.buffer = BufferFill{.size = 4096, .used = 1, .peak = 2};
  stats.source.set_aside = {{"half_open", 24}};
  stats.missing_facts = {{"pod_unknown", 25}};
  stats.caches = {{"users", 26, 27, 28}};
  stats.collectors = {
      At("udp://192.0.2.1:4739", {.lost_records = 29, .lost_by_reason = {{"refused", 29}}, .open = true}),
      At("udp://192.0.2.1:4739", {.queued_octets = 30, .queue_capacity = 31})};
  stats.collectors[0].totals = {.messages = 32, .octets = 33, .records = 34};
  return stats;
}

OwnProcess Process() {
  return {.user_cpu_seconds = 1.5, .system_cpu_seconds = 0.25,
          .memory = OwnProcess::Memory{.resident_octets = 4096, .virtual_octets = 8192},
          .open_descriptors = 7, .max_descriptors = 1024, .start_time = 1e9, .threads = 3};
}

TEST(MetricsPageTest, TellsEachCounter) {
  const AgentStats stats = Sample();
  const std::string page = MetricsPage(&stats, Process(), milliseconds(250));
  for (const char* line :
       {"sockflow_build_info{version=\"" SOCKFLOW_VERSION "\",tier=\"fentry\"} 1\n",
        "sockflow_last_round_age_seconds 0.25\n",
        "sockflow_capture_events_total{kind=\"close\",tier=\"fentry\"} 17\n",
        "sockflow_lost_events_total{stage=\"capture\",reason=\"table_full\"} 3\n",
        "sockflow_lost_events_total{stage=\"session\",reason=\"session_evicted\"} 4\n",
        "sockflow_session_owners_total{quality=\"holder\"} 18\n", "sockflow_filtered_records_total 19\n",
        "sockflow_session_starts_total 20\n", "sockflow_session_updates_total 21\n",
        "sockflow_session_ends_total 22\n", "sockflow_open_sessions 23\n",
        "sockflow_ring_buffer_size_bytes 4096\n", "sockflow_ring_buffer_peak_bytes 2\n",
        "sockflow_set_aside_events_total{reason=\"half_open\"} 24\n",
        "sockflow_missing_facts_total{fact=\"pod_unknown\"} 25\n",
        "sockflow_cache_entries{cache=\"users\"} 26\n", "sockflow_cache_hits_total{cache=\"users\"} 27\n",
        "sockflow_cache_misses_total{cache=\"users\"} 28\n",
        "sockflow_collector_lost_records_total{collector=\"udp://192.0.2.1:4739\"} 29\n",
        "sockflow_collector_lost_records_by_reason_total{collector=\"udp://192.0.2.1:4739\",reason=\"refused\"} 29\n",
        "sockflow_collector_messages_total{collector=\"udp://192.0.2.1:4739\"} 32\n",
        "sockflow_collector_sent_bytes_total{collector=\"udp://192.0.2.1:4739\"} 33\n",
        "sockflow_collector_records_total{collector=\"udp://192.0.2.1:4739\"} 34\n",
        // The same place twice, as two profiles may want.
        "sockflow_collector_queued_bytes{collector=\"udp://192.0.2.1:4739 #2\"} 30\n",
        "process_cpu_seconds_total 1.75\n", "sockflow_cpu_seconds_total{mode=\"system\"} 0.25\n",
        "process_resident_memory_bytes 4096\n", "process_open_fds 7\n", "process_threads 3\n"}) {
    EXPECT_THAT(page, HasSubstr(line));
  }
}

// What the format demands: a family stands once, and no two samples have the same labels.
TEST(MetricsPageTest, NothingIsTwice) {
  const AgentStats stats = Sample();
  std::istringstream page(MetricsPage(&stats, Process(), {}));
  std::set<std::string> seen;
  for (std::string line; std::getline(page, line);) {
    const bool is_head = line.starts_with('#');
    const std::string what = is_head ? line : line.substr(0, line.rfind(' '));
    EXPECT_TRUE(seen.insert(what).second) << line;
  }
  EXPECT_GT(seen.size(), 100u);
}

TEST(MetricsPageTest, WithoutFiguresThereIsTheProcess) {
  const std::string page = MetricsPage(nullptr, {}, {});
  EXPECT_THAT(page, HasSubstr("sockflow_build_info{version=\"" SOCKFLOW_VERSION "\",tier=\"\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("process_cpu_seconds_total 0\n"));
  // Nothing is told that is not known.
  EXPECT_THAT(page, Not(HasSubstr("process_resident_memory_bytes")));
  EXPECT_THAT(page, Not(HasSubstr("sockflow_open_sessions")));
}

TEST(WhyNotReadyTest, OneCollectorThatTakesRecordsIsEnough) {
  const delivery::DeliveryStats full{.queued_octets = 90, .queue_capacity = 100};
  AgentStats stats;
  EXPECT_EQ(WhyNotReady(stats), "there is no collector");
  stats.collectors = {At("tcp://a", full)};
  EXPECT_EQ(WhyNotReady(stats), "tcp://a cannot be reached, and its queue holds 90 of 100 octets");
  delivery::DeliveryStats spooled = full;
  spooled.spooled_octets = 70;
  spooled.spool_capacity = 100;
  stats.collectors.push_back(At("tcp://b", spooled));
  EXPECT_EQ(WhyNotReady(stats),
            "tcp://a cannot be reached, and its queue holds 90 of 100 octets; tcp://b cannot be reached, and "
            "its queue holds 90 of 100 octets, its spool 70 of 100");
  stats.collectors[1].delivery.spooled_octets = 10;
  EXPECT_EQ(WhyNotReady(stats), "");
  stats.collectors[1] = At("udp://b", full);
  stats.collectors[1].delivery.open = true;
  EXPECT_EQ(WhyNotReady(stats), "");
  stats.collectors[1] = At("tcp://b", {.queued_octets = 50, .queue_capacity = 100});
  EXPECT_EQ(WhyNotReady(stats), "");
}

TEST(StatusPageTest, SaysHowItIsInEachPhase) {
  StatusBoard board;
  EXPECT_EQ(StatusPage("/healthz", board).status, 200);
  health::Page page = StatusPage("/readyz", board);
  EXPECT_EQ(page.status, 503);
  EXPECT_EQ(page.body, "starting: nothing is captured yet\n");
  board.Beat(StatusBoard::Clock::now() - hours(1));
  page = StatusPage("/healthz", board);
  EXPECT_EQ(page.status, 503);
  EXPECT_EQ(page.body, "the agent has been starting for 3600 s; its log says what it waits for\n");

  // It comes round as soon as it is woken.
  board.Attach([&board] { board.Beat(StatusBoard::Clock::now()); });
  EXPECT_EQ(StatusPage("/healthz", board).status, 200);

  // It does not.
  board.Attach([] {});
  board.Beat(StatusBoard::Clock::now() - hours(1));
  page = StatusPage("/healthz", board);
  EXPECT_EQ(page.status, 503);
  EXPECT_THAT(page.body, HasSubstr("the agent has not looked for events for 360"));
  EXPECT_THAT(StatusPage("/readyz", board).body, HasSubstr("does not answer"));

  AgentStats stats = Sample();
  board.Publish(stats);
  EXPECT_EQ(StatusPage("/readyz", board).status, 200);
  EXPECT_THAT(StatusPage("/metrics", board).body, HasSubstr("sockflow_open_sessions 23\n"));
  board.Detach();
  EXPECT_EQ(StatusPage("/healthz", board).status, 200);
  EXPECT_EQ(StatusPage("/readyz", board).status, 503);
  EXPECT_EQ(StatusPage("/", board).status, 200);
  EXPECT_EQ(StatusPage("/metrics/", board).status, 404);
}

TEST(ServeStatusTest, NowhereUnlessAsked) {
  const auto server = ServeStatus({}, std::make_shared<StatusBoard>());
  ASSERT_TRUE(server.ok());
  EXPECT_EQ(*server, nullptr);
}

TEST(ServeStatusTest, ErrorsNameTheKey) {
  const auto server = ServeStatus({.listen = "192.0.2.1:9841", .place = {"f.yaml", 3, "metrics.listen"}},
                                  std::make_shared<StatusBoard>());
  EXPECT_THAT(std::string(server.status().message()),
              HasSubstr("metrics.listen: cannot listen on tcp://192.0.2.1:9841: this host has no address"));
}

}  // namespace
}  // namespace sockflow
