// SPDX-License-Identifier: MIT
#include "agent/metrics_page.h"

#include <set>

#include "fmt/format.h"
#include "health/exposition.h"

namespace sockflow {
namespace {

using health::Exposition;
using Collectors = std::vector<AgentStats::Collector>;

void WriteProcess(const OwnProcess& process, Exposition& out) {
  const double user = process.user_cpu_seconds, system = process.system_cpu_seconds;
  out.Counter("process_cpu_seconds_total", "CPU time of the agent, user and system.");
  out.Add({}, user + system);
  out.Counter("sockflow_cpu_seconds_total", "CPU time of the agent by mode.");
  out.Add({{"mode", "user"}}, user);
  out.Add({{"mode", "system"}}, system);
  if (process.memory.has_value()) {
    out.Gauge("process_resident_memory_bytes", "Resident memory of the agent.");
    out.Add(process.memory->resident_octets);
    out.Gauge("process_virtual_memory_bytes", "Virtual memory of the agent.");
    out.Add(process.memory->virtual_octets);
  }
  if (process.open_descriptors.has_value()) {
    out.Gauge("process_open_fds", "Open file descriptors of the agent.");
    out.Add(*process.open_descriptors);
  }
  out.Gauge("process_max_fds", "Most file descriptors that the agent may have open.");
  out.Add(process.max_descriptors);
  if (process.start_time.has_value()) {
    out.Gauge("process_start_time_seconds", "When the agent was started, since 1970.");
    out.Add({}, *process.start_time);
  }
  if (process.threads.has_value()) {
    out.Gauge("process_threads", "Threads of the agent.");
    out.Add(*process.threads);
  }
}

void WriteCapture(const AgentStats& stats, Exposition& out) {
  out.Counter("sockflow_capture_events_total", "Events that were captured, by kind and capture tier.");
  for (size_t kind = 0; kind < stats.counts.events.size(); ++kind) {
    out.Add({{"kind", AgentStats::kEventKinds[kind]}, {"tier", stats.tier}}, stats.counts.events[kind]);
  }
  out.Counter("sockflow_lost_events_total",
              "What was not seen, or only in part, by the stage that lost it and why. Losses of records "
              "on their way to collectors: sockflow_collector_lost_records_total.");
  for (const AgentStats::Stage& stage : stats.stages) {
    for (const LossCounter& lost : stage.lost) {
      out.Add({{"stage", stage.name}, {"reason", lost.reason}}, lost.count);
    }
  }
  out.Counter("sockflow_rescued_events_total", "Events that a first hook missed and a second one saw.");
  out.Add(stats.source.rescued);
  out.Counter("sockflow_set_aside_events_total", "What was seen and rightly not told, by reason.");
  for (const LossCounter& aside : stats.source.set_aside) out.Add({{"reason", aside.reason}}, aside.count);
  if (!stats.source.buffer.has_value()) return;
  out.Gauge("sockflow_ring_buffer_size_bytes", "Size of the ring buffer between kernel and agent.");
  out.Add(stats.source.buffer->size);
  out.Gauge("sockflow_ring_buffer_used_bytes", "What was in it when it was read last.");
  out.Add(stats.source.buffer->used);
  out.Gauge("sockflow_ring_buffer_peak_bytes", "Most of that in the last half to one minute.");
  out.Add(stats.source.buffer->peak);
}

void WriteSessions(const AgentStats& stats, Exposition& out) {
  out.Gauge("sockflow_open_sessions", "Sessions that are open now.");
  out.Add(stats.open_sessions);
  out.Counter("sockflow_session_starts_total", "Sessions that began.");
  out.Add(stats.sessions.starts);
  out.Counter("sockflow_session_updates_total", "Updates of sessions that go on.");
  out.Add(stats.sessions.updates);
  out.Counter("sockflow_session_ends_total", "Sessions that ended.");
  out.Add(stats.sessions.ends);
  out.Counter("sockflow_repaired_starts_total", "Starts that were made good from the end.");
  out.Add(stats.sessions.repaired_starts);
  out.Counter("sockflow_session_owners_total",
              "Sessions that were told and ended, by how their process is known: caller (exact), listener (inferred), "
              "holder (guessed), unknown.");
  for (size_t i = 0; i < stats.counts.attributed.size(); ++i) {
    out.Add({{"quality", AgentStats::kAttributions[i]}}, stats.counts.attributed[i]);
  }
  out.Counter("sockflow_filtered_records_total", "Records that the configuration leaves out.");
  out.Add(stats.counts.filtered_records);
  out.Counter("sockflow_filtered_sessions_total", "Sessions that the kernel leaves out as the configuration asks.");
  out.Add(stats.source.filtered);
  out.Counter("sockflow_own_sessions_total", "Sessions of the agent itself, which are left out.");
  out.Add(stats.source.own + stats.counts.own_sessions);
  out.Gauge("sockflow_held_records", "Records that wait for facts, such as the names of a new pod.");
  out.Add(stats.held_records);
  out.Counter("sockflow_missing_facts_total", "Facts that could not be found out; the records went out.");
  for (const LossCounter& fact : stats.missing_facts) out.Add({{"fact", fact.reason}}, fact.count);
}

void WriteCaches(const AgentStats& stats, Exposition& out) {
  out.Gauge("sockflow_cache_entries", "What is remembered of processes, users, containers and pods.");
  for (const CacheStats& cache : stats.caches) out.Add({{"cache", cache.name}}, cache.entries);
  out.Counter("sockflow_cache_hits_total", "Questions that memory answered.");
  for (const CacheStats& cache : stats.caches) out.Add({{"cache", cache.name}}, cache.hits);
  out.Counter("sockflow_cache_misses_total", "Questions that the system had to be asked.");
  for (const CacheStats& cache : stats.caches) out.Add({{"cache", cache.name}}, cache.misses);
}

// One place may be configured twice, with two profiles; samples must differ in their labels.
std::vector<std::string> LabelsOf(const Collectors& collectors) {
  std::vector<std::string> labels;
  std::set<std::string> taken;
  for (const AgentStats::Collector& collector : collectors) {
    std::string label = collector.name;
    for (int i = 2; !taken.insert(label).second; ++i) label = fmt::format("{} #{}", collector.name, i);
    labels.push_back(std::move(label));
  }
  return labels;
}

void WriteCollectors(const Collectors& collectors, Exposition& out) {
  const std::vector<std::string> labels = LabelsOf(collectors);
  const auto each = [&](auto value) {
    for (size_t i = 0; i < collectors.size(); ++i) {
      out.Add({{"collector", labels[i]}}, uint64_t{value(collectors[i])});
    }
  };
  using Collector = AgentStats::Collector;
  out.Gauge("sockflow_collector_connected",
            "1: a transport session is open (UDP: records can be sent; file: one is being written).");
  each([](const Collector& c) { return c.delivery.open; });
  out.Counter("sockflow_collector_records_total", "Records of sessions that were sent.");
  each([](const Collector& c) { return c.totals.records; });
  out.Counter("sockflow_collector_messages_total", "IPFIX messages that were sent.");
  each([](const Collector& c) { return c.totals.messages; });
  out.Counter("sockflow_collector_sent_bytes_total", "Octets of those messages.");
  each([](const Collector& c) { return c.totals.octets; });
  out.Counter("sockflow_collector_lost_records_total",
              "Records that were not sent, or are known not to have arrived.");
  each([](const Collector& c) { return c.delivery.lost_records; });
  out.Counter("sockflow_collector_lost_records_by_reason_total", "The same by reason.");
  for (size_t i = 0; i < collectors.size(); ++i) {
    for (const auto& [reason, records] : collectors[i].delivery.lost_by_reason) {
      out.Add({{"collector", labels[i]}, {"reason", reason}}, records);
    }
  }
  out.Counter("sockflow_collector_connects_total", "Transport sessions that were begun.");
  each([](const Collector& c) { return c.delivery.sessions; });
  out.Counter("sockflow_collector_connect_failures_total", "Attempts at one that failed.");
  each([](const Collector& c) { return c.delivery.failed_opens; });
  out.Gauge("sockflow_collector_queued_records", "Records that wait in memory.");
  each([](const Collector& c) { return c.delivery.queued_records; });
  out.Gauge("sockflow_collector_queued_bytes", "Octets that wait in memory.");
  each([](const Collector& c) { return c.delivery.queued_octets; });
  out.Gauge("sockflow_collector_queue_limit_bytes", "Most octets that may wait in memory.");
  each([](const Collector& c) { return c.delivery.queue_capacity; });
  out.Gauge("sockflow_collector_spooled_records", "Records that wait on disk.");
  each([](const Collector& c) { return c.delivery.spooled_records; });
  out.Gauge("sockflow_collector_spooled_bytes", "Size of the spool on disk.");
  each([](const Collector& c) { return c.delivery.spooled_octets; });
  out.Gauge("sockflow_collector_spool_limit_bytes", "Most that the spool may hold; 0: there is none.");
  each([](const Collector& c) { return c.delivery.spool_capacity; });
}

}  // namespace

std::string MetricsPage(const AgentStats* stats, const OwnProcess& process,
                        std::chrono::nanoseconds since_round) {
  Exposition out;
  out.Gauge("sockflow_build_info", "Always 1; what runs here.");
  out.Add({{"version", SOCKFLOW_VERSION}, {"tier", stats == nullptr ? "" : stats->tier}}, uint64_t{1});
  out.Gauge("sockflow_last_round_age_seconds", "How long ago the agent last looked for events.");
  out.Add({}, std::chrono::duration<double>(since_round).count());
  if (stats != nullptr) {
    WriteCapture(*stats, out);
    WriteSessions(*stats, out);
    WriteCaches(*stats, out);
    WriteCollectors(stats->collectors, out);
  }
  WriteProcess(process, out);
  return out.text();
}

}  // namespace sockflow
