// SPDX-License-Identifier: MIT
#include "agent/compose.h"

#include <tuple>
#include <utility>
#include <vector>

#include "agent/collectors.h"
#include "agent/compose_kubernetes.h"
#include "agent/host.h"
#include "agent/startup_line.h"
#include "enrich/container/container_enricher.h"
#include "enrich/process/process_enricher.h"
#include "fmt/format.h"
#include "source/interfaces.h"
#include "source/open_event_source.h"
#include "spdlog/spdlog.h"

namespace sockflow {
namespace {

// The sources that SessionFilter knows serve the capture, too.
CaptureOptions CaptureOptionsOf(const Config& config, const SessionFilter& filter) {
  CaptureOptions options{.tier = config.capture.tier,
                         .ring_buffer_octets = config.capture.ring_buffer_bytes,
                         .max_sessions = config.capture.max_sessions,
                         .existing = config.capture.existing,
                         .active_timeout = config.exporter.active_timeout,
                         .command_line_octets = config.process.command_line
                                                    ? config.process.command_line_max_bytes
                                                    : 0,
                         .rules = config.filter,
                         .interfaces = config.interfaces,
                         .filter = config.packet_filter,
                         .count_packets = config.capture.count_packets,
                         .forwarded = config.capture.forwarded};
  if (filter.sources) options.hosts.assign(filter.sources->begin(), filter.sources->end());
  return options;
}

absl::StatusOr<std::unique_ptr<EventSource>> ComposeFileSource(const std::string& path,
                                                               const CaptureOptions& options) {
  auto source = OpenFileSource(path, options);
  if (!source.ok()) {
    return absl::Status(source.status().code(), fmt::format("--read: {}", std::string(source.status().message())));
  }
  spdlog::info("reading {}", (*source)->description());
  return source;
}

absl::StatusOr<OpenedSource> ComposeLiveSource(const CaptureOptions& options) {
  absl::StatusOr<OpenedSource> opened = OpenEventSource(options);
  if (!opened.ok()) return opened.status();
  spdlog::info("capture tier: {}", opened->source->description());
  const bool falls_back = opened->tier == Tier::kPcap;
  for (const auto& [tier, reason] : opened->refused) {
    spdlog::log(falls_back ? spdlog::level::warn : spdlog::level::info, "{} is not used: {}",
                ToString(tier), reason);
  }
  if (opened->tier != Tier::kPcap && !options.filter.empty()) {
    spdlog::warn("bpf.filter has no effect: the tier {} looks at no packets; set capture.tier to pcap",
                 ToString(opened->tier));
  }
  return opened;
}

absl::StatusOr<SessionFilter::Interface> FindInterfaces(const std::vector<std::string>& names) {
  SessionFilter::Interface all;
  for (const std::string& name : names) {
    const auto interface = FindInterface(name);
    if (!interface.ok()) return interface.status();
    all.addresses.insert(interface->addresses.begin(), interface->addresses.end());
    all.is_loopback = all.is_loopback || interface->is_loopback;
  }
  return all;
}

absl::StatusOr<SessionFilter> ComposeFilter(const Config& config, bool of_this_host) {
  SessionFilter filter{.rules = CompiledRules(config.filter)};
  if (!config.source_host.empty()) {
    auto sources = AddressesOfHost(config.source_host);
    if (!sources.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("bpf.source_host: {}", std::string(sources.status().message())));
    }
    filter.sources = *std::move(sources);
  }
  if (of_this_host && !config.interfaces.empty()) {
    auto interface = FindInterfaces(config.interfaces);
    if (!interface.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("interface: {}", std::string(interface.status().message())));
    }
    filter.interface = *std::move(interface);
  }
  return filter;
}

absl::StatusOr<Exporters> ComposeExporters(const RunOptions& options) {
  Exporters exporters;
  if (absl::Status made = ReplaceCollectors(options.config, exporters); !made.ok()) return made;
  if (options.print) {
    auto printer = ComposePrinter(options.config, *options.print);
    if (!printer.ok()) return printer.status();
    exporters.Add(*std::move(printer));
  }
  return exporters;
}

// What is captured, as opposed to what becomes of it: decided when the agent starts.
auto CaptureFacts(const Config& config, bool by_packets) {
  return std::tuple(config.capture, config.process, config.exporter.active_timeout, config.packet_filter,
                    by_packets ? config.interfaces : std::vector<std::string>());
}

// What SIGHUP does. A configuration that is wrong in any way changes nothing. `interfaces`: those that
// sessions are chosen by; null: packets are captured on them, so that their addresses are of no account.
void Reload(const RunOptions& options, Exporters& exporters, SessionFilter& filter, EventSource& source,
            std::vector<std::string>* interfaces) {
  const auto refuse = [](const absl::Status& why) {
    spdlog::error("the configuration stays as it was: {}", std::string(why.message()));
  };
  const absl::StatusOr<Config> config = options.reload_config();
  if (!config.ok()) return refuse(config.status());
  if (absl::Status usable = CheckCapture(*config); !usable.ok()) return refuse(usable);
  absl::StatusOr<SessionFilter> new_filter = ComposeFilter(*config, !options.read);
  if (!new_filter.ok()) return refuse(new_filter.status());
  if (absl::Status done = ReplaceCollectors(*config, exporters); !done.ok()) return refuse(done);
  filter = *std::move(new_filter);
  source.SetFilter(config->filter);
  const bool by_packets = interfaces == nullptr;
  if (by_packets) {
    filter.interface.reset();
  } else {
    *interfaces = config->interfaces;
  }
  if (CaptureFacts(*config, by_packets) != CaptureFacts(options.config, by_packets)) {
    spdlog::warn("{} take effect when the agent is started again",
                 by_packets ? "keys of sections capture and process, exporter.active_timeout_seconds, "
                              "bpf.filter and interface"
                            : "keys of sections capture and process and exporter.active_timeout_seconds");
  }
  if (config->kubernetes != options.config.kubernetes) {
    spdlog::warn("keys of section kubernetes take effect when the agent is started again");
  }
  if (config->metrics != options.config.metrics) {
    spdlog::warn("metrics.listen takes effect when the agent is started again");
  }
  spdlog::info("configuration read again");
}

}  // namespace

absl::Status CheckCapture(const Config& config) {
  const absl::Status sound = CheckPacketFilter(config.packet_filter);
  if (sound.ok()) return sound;
  return absl::InvalidArgumentError(fmt::format("bpf.filter: {}", std::string(sound.message())));
}

absl::StatusOr<std::unique_ptr<Pipeline>> Compose(const RunOptions& options,
                                                  std::shared_ptr<StatusBoard> status) {
  const Config& config = options.config;
  if (absl::Status usable = CheckCapture(config); !usable.ok()) return usable;
  auto filter = ComposeFilter(config, !options.read);
  if (!filter.ok()) return filter.status();
  auto exporters = ComposeExporters(options);
  if (!exporters.ok()) return exporters.status();
  // The pods of now are none of a file's.
  std::unique_ptr<Enricher> kubernetes;
  if (config.kubernetes.enabled && !options.read) {
    auto composed = ComposeKubernetes(config.kubernetes);
    if (!composed.ok()) return composed.status();
    kubernetes = *std::move(composed);
  }
  // Last: from here on events pile up.
  const CaptureOptions capture = CaptureOptionsOf(config, *filter);
  std::unique_ptr<EventSource> source;
  bool by_packets = true;
  std::string_view tier = "file";
  if (options.read) {
    auto file = ComposeFileSource(*options.read, capture);
    if (!file.ok()) return file.status();
    source = *std::move(file);
  } else {
    auto live = ComposeLiveSource(capture);
    if (!live.ok()) return live.status();
    source = std::move(live->source);
    by_packets = live->tier == Tier::kPcap;
    tier = ToString(live->tier);
  }
  // What was captured on an interface is its, whatever its addresses.
  if (by_packets) filter->interface.reset();

  std::vector<std::unique_ptr<Enricher>> enrichers;
  enrichers.push_back(std::make_unique<ProcessEnricher>(ProcessEnricher::Options{
      .command_line_octets = capture.command_line_octets}));
  enrichers.push_back(std::make_unique<ContainerEnricher>());
  // After what tells the container of a process.
  if (kubernetes != nullptr) enrichers.push_back(std::move(kubernetes));

  Pipeline::Options pipeline{.sessions = {.max_sessions = config.capture.max_sessions},
                             .filter = *std::move(filter),
                             .held = {.wait = config.kubernetes.wait},
                             .own_pid = options.read ? 0 : ProcessId(),
                             .stats_interval = config.log.stats_interval,
                             .shutdown_time = config.exporter.shutdown_time,
                             .duration = options.duration,
                             .tier = tier,
                             .status = std::move(status)};
  const auto interfaces =
      by_packets ? nullptr : std::make_shared<std::vector<std::string>>(config.interfaces);
  if (options.reload_config) {
    pipeline.reload = [options, interfaces](Exporters& current, SessionFilter& current_filter, EventSource& events) {
      Reload(options, current, current_filter, events, interfaces.get());
    };
  }
  if (interfaces != nullptr && (!config.interfaces.empty() || options.reload_config)) {
    pipeline.refresh_filter = [interfaces](SessionFilter& current) {
      if (interfaces->empty()) return;
      auto found = FindInterfaces(*interfaces);
      // While an interface is gone, its sessions still end: what was known stays.
      if (found.ok()) current.interface = *std::move(found);
    };
  }
  spdlog::info("{}", StartupLine(config, tier, KernelRelease()));
  return std::make_unique<Pipeline>(std::move(source), std::move(enrichers),
                                    *std::move(exporters), std::move(pipeline));
}

}  // namespace sockflow
