// SPDX-License-Identifier: MIT
#include "agent/compose.h"

#include <utility>
#include <vector>

#include "agent/collectors.h"
#include "agent/host.h"
#include "enrich/process/process_enricher.h"
#include "fmt/format.h"
#include "source/open_event_source.h"
#include "spdlog/spdlog.h"

namespace sockflow {
namespace {

absl::StatusOr<std::unique_ptr<EventSource>> ComposeSource(const Config::Capture& capture) {
  absl::StatusOr<OpenedSource> opened =
      OpenEventSource({.tier = capture.tier,
                       .ring_buffer_octets = capture.ring_buffer_bytes,
                       .max_sessions = capture.max_sessions});
  if (!opened.ok()) return opened.status();
  spdlog::info("capture tier: {}", opened->source->description());
  for (const auto& [tier, reason] : opened->refused) {
    spdlog::info("{} is not used: {}", ToString(tier), reason);
  }
  return std::move(opened->source);
}

absl::StatusOr<SessionFilter> ComposeFilter(const Config& config) {
  SessionFilter filter;
  if (!config.source_host.empty()) {
    auto sources = AddressesOfHost(config.source_host);
    if (!sources.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("bpf.source_host: {}", std::string(sources.status().message())));
    }
    filter.sources = *std::move(sources);
  }
  if (!config.interface.empty()) {
    auto interface = FindInterface(config.interface);
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

// What SIGHUP does. A configuration that is wrong in any way changes nothing.
void Reload(const RunOptions& options, Exporters& exporters, SessionFilter& filter,
            std::string& interface) {
  const auto refuse = [](const absl::Status& why) {
    spdlog::error("the configuration stays as it was: {}", std::string(why.message()));
  };
  const absl::StatusOr<Config> config = options.reload_config();
  if (!config.ok()) return refuse(config.status());
  absl::StatusOr<SessionFilter> new_filter = ComposeFilter(*config);
  if (!new_filter.ok()) return refuse(new_filter.status());
  if (absl::Status done = ReplaceCollectors(*config, exporters); !done.ok()) return refuse(done);
  filter = *std::move(new_filter);
  interface = config->interface;
  if (!(config->capture == options.config.capture)) {
    spdlog::warn("keys of section capture take effect when the agent is started again");
  }
  spdlog::info("configuration read again");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Pipeline>> Compose(const RunOptions& options) {
  const Config& config = options.config;
  auto filter = ComposeFilter(config);
  if (!filter.ok()) return filter.status();
  auto exporters = ComposeExporters(options);
  if (!exporters.ok()) return exporters.status();
  // Last: from here on events pile up.
  auto source = ComposeSource(config.capture);
  if (!source.ok()) return source.status();

  std::vector<std::unique_ptr<Enricher>> enrichers;
  enrichers.push_back(std::make_unique<ProcessEnricher>());

  Pipeline::Options pipeline{.sessions = {.max_sessions = config.capture.max_sessions},
                             .filter = *std::move(filter),
                             .stats_interval = config.log.stats_interval,
                             .shutdown_time = config.exporter.shutdown_time,
                             .duration = options.duration};
  const auto interface = std::make_shared<std::string>(config.interface);
  if (options.reload_config) {
    pipeline.reload = [options, interface](Exporters& current, SessionFilter& current_filter) {
      Reload(options, current, current_filter, *interface);
    };
  }
  if (!config.interface.empty() || options.reload_config) {
    pipeline.refresh_filter = [interface](SessionFilter& current) {
      if (interface->empty()) return;
      auto found = FindInterface(*interface);
      // While the interface is gone, its sessions still end: what was known stays.
      if (found.ok()) current.interface = *std::move(found);
    };
  }
  return std::make_unique<Pipeline>(*std::move(source), std::move(enrichers),
                                    *std::move(exporters), std::move(pipeline));
}

}  // namespace sockflow
