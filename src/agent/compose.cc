// SPDX-License-Identifier: MIT
#include "agent/compose.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "agent/addresses.h"
#include "agent/print_transport.h"
#include "enrich/process/process_enricher.h"
#include "fmt/format.h"
#include "source/open_event_source.h"
#include "spdlog/spdlog.h"
#include "transport/udp_transport.h"
#include "transport/url.h"

namespace sockflow {
namespace {

// Who watches a terminal should not wait for a message to fill.
constexpr Duration kLongestPrintInterval = std::chrono::milliseconds(200);

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

Exporter::Options ExporterOptions(const Config::Exporter& config, ipfix::Profile profile) {
  return {.profile = profile,
          .encoder = {.observation_domain = config.observation_domain,
                      .max_message_octets = config.max_message_bytes,
                      .max_records = config.chunk_size},
          .interval = config.interval,
          .template_refresh = config.template_refresh,
          .template_refresh_packets = config.template_refresh_packets};
}

absl::StatusOr<std::vector<std::unique_ptr<Exporter>>> ComposeExporters(const RunOptions& options) {
  std::vector<std::unique_ptr<Exporter>> exporters;
  for (const CollectorConfig& collector : options.config.collectors) {
    const auto url = transport::ParseUrl(collector.url);
    if (!url.ok()) return url.status();
    auto transport = transport::UdpTransport::Open(*url);
    if (!transport.ok()) return transport.status();
    exporters.push_back(std::make_unique<Exporter>(
        ExporterOptions(options.config.exporter, collector.profile), *std::move(transport)));
    spdlog::info("exporting to {}, profile {}", exporters.back()->name(),
                 ToString(collector.profile));
  }
  if (options.print) {
    Exporter::Options print = ExporterOptions(options.config.exporter, ipfix::Profile::kProcess);
    print.interval = std::min(print.interval, kLongestPrintInterval);
    exporters.push_back(
        std::make_unique<Exporter>(print, std::make_unique<PrintTransport>(*options.print)));
  }
  return exporters;
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
                             .duration = options.duration};
  if (!config.interface.empty()) {
    pipeline.refresh_filter = [name = config.interface](SessionFilter& current) {
      auto interface = FindInterface(name);
      // While the interface is gone, its sessions still end: what was known stays.
      if (interface.ok()) current.interface = *std::move(interface);
    };
  }
  return std::make_unique<Pipeline>(*std::move(source), std::move(enrichers),
                                    *std::move(exporters), std::move(pipeline));
}

}  // namespace sockflow
