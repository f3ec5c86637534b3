// SPDX-License-Identifier: MIT
#include "agent/collectors.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/host.h"
#include "agent/print_transport.h"
#include "fmt/format.h"
#include "spdlog/spdlog.h"
#include "transport/file_transport.h"
#include "transport/sctp_transport.h"
#include "transport/secure_transport.h"
#include "transport/stdout_transport.h"
#include "transport/tcp_transport.h"
#include "transport/udp_transport.h"
#include "transport/url.h"

namespace sockflow {
namespace {

using TransportOr = absl::StatusOr<std::unique_ptr<Transport>>;

// Who watches a terminal should not wait for a message to fill.
constexpr Duration kLongestPrintInterval = std::chrono::milliseconds(200);

absl::Status At(const Place& place, const absl::Status& status) {
  return absl::InvalidArgumentError(
      fmt::format("{}: {}", place.ToString(), std::string(status.message())));
}

TransportOr ComposeFile(const transport::Url& url, const CollectorConfig::File& file) {
  return transport::FileTransport::Make(
      {.path = url.path,
       .max_octets = file.max_bytes,
       .max_age = file.max_age,
       .compression = file.compression,
       .note = [](const std::string& note) { spdlog::warn("{}", note); }});
}

TransportOr ComposeSecure(const transport::Url& url, const EndpointConfig& endpoint) {
  const TlsConfig& tls = endpoint.tls;
  std::vector<std::string> warnings;
  auto made = transport::MakeSecureTransport(
      url, {tls.ca, tls.certificate, tls.key, tls.server_name}, warnings);
  for (const std::string& warning : warnings) spdlog::warn("{}: {}", url.ToString(), warning);
  if (made.ok()) return made;
  // The message begins with the key, "tls.ca".
  const std::string message(made.status().message());
  const std::string place = tls.place.ToString();
  if (place.ends_with(".tls") && message.starts_with("tls.")) {
    return absl::InvalidArgumentError(place.substr(0, place.size() - 3) + message);
  }
  return At(endpoint.place, made.status());
}

TransportOr ComposeTransport(const EndpointConfig& endpoint, const CollectorConfig::File& file) {
  const auto url = transport::ParseUrl(endpoint.url);
  if (!url.ok()) return At(endpoint.place, url.status());
  if (url->scheme == "udp") return std::make_unique<transport::UdpTransport>(*url);
  if (url->scheme == "tcp") return std::make_unique<transport::TcpTransport>(*url);
  if (url->scheme == "sctp") return std::make_unique<transport::SctpTransport>(*url);
  if (url->scheme == "stdout") return std::make_unique<transport::StdoutTransport>();
  if (url->scheme != "file") return ComposeSecure(*url, endpoint);
  auto made = ComposeFile(*url, file);
  if (!made.ok()) return At(endpoint.place, made.status());
  return made;
}

absl::StatusOr<ipfix::Layout> ComposeLayout(const CollectorConfig& collector, uint32_t pen) {
  if (collector.fields.empty()) return ipfix::Layout::OfProfile(collector.profile, pen);
  auto layout = ipfix::Layout::OfFields(collector.fields, pen);
  if (!layout.ok()) return At(collector.place, layout.status());
  return layout;
}

Exporter::Options OptionsOf(const Config::Exporter& config, ipfix::Layout layout) {
  return {.layout = std::move(layout),
          .encoder = {.max_message_octets = config.max_message_bytes,
                      .max_records = config.chunk_size},
          .identity = {.observation_domain = config.observation_domain,
                       .process_id = ProcessId(),
                       .domain_name = config.domain_name.empty() ? HostName() : config.domain_name},
          .interval = config.interval,
          .statistics_interval = config.statistics_interval};
}

absl::StatusOr<std::unique_ptr<Exporter>> ComposeExporter(
    const Config::Exporter& config, const Exporter::Options& options,
    const CollectorConfig::Spool& spool, std::vector<std::unique_ptr<Transport>> transports) {
  std::optional<delivery::Spool::Options> spool_options;
  if (!spool.directory.empty()) {
    spool_options = {.directory = spool.directory, .max_octets = spool.max_bytes};
  }
  auto courier = delivery::Courier::Start(
      {.preamble = Exporter::PreambleOf(options),
       .queue_octets = config.queue_bytes,
       .reconnect_interval = config.reconnect_interval,
       .template_refresh = config.template_refresh,
       .template_refresh_messages = config.template_refresh_packets,
       .burst_messages = config.burst_messages,
       .first_sequence = config.first_sequence,
       .spool = std::move(spool_options)},
      std::move(transports));
  if (absl::IsFailedPrecondition(courier.status())) return At(spool.place, courier.status());
  if (!courier.ok()) return courier.status();
  return std::make_unique<Exporter>(options, *std::move(courier));
}

absl::StatusOr<std::unique_ptr<Exporter>> ComposeCollector(const Exporters::Facts& facts) {
  const CollectorConfig& collector = facts.collector;
  auto layout = ComposeLayout(collector, facts.exporter.pen);
  if (!layout.ok()) return layout.status();
  std::vector<std::unique_ptr<Transport>> transports;
  for (const EndpointConfig& endpoint : collector.endpoints) {
    auto transport = ComposeTransport(endpoint, collector.file);
    if (!transport.ok()) return transport.status();
    transports.push_back(*std::move(transport));
  }
  std::string names;
  for (const auto& transport : transports) {
    names += fmt::format("{}{}", names.empty() ? "" : ", else ", transport->name());
  }
  const std::string content = collector.fields.empty()
                                  ? fmt::format("profile {}", ToString(collector.profile))
                                  : fmt::format("{} fields of its own", collector.fields.size());
  Exporter::Options options = OptionsOf(facts.exporter, *std::move(layout));
  options.records = collector.records;
  auto exporter =
      ComposeExporter(facts.exporter, options, collector.spool, std::move(transports));
  if (exporter.ok()) spdlog::info("exporting to {}, {}", names, content);
  return exporter;
}

}  // namespace

absl::Status ReplaceCollectors(const Config& config, Exporters& exporters) {
  return exporters.Replace(config.collectors, config.exporter, ComposeCollector,
                           config.exporter.shutdown_time);
}

absl::Status CheckTransports(const Config& config) {
  for (const CollectorGroup& group : config.collectors) {
    for (const CollectorConfig& collector : group.collectors) {
      for (const EndpointConfig& endpoint : collector.endpoints) {
        const auto made = ComposeTransport(endpoint, collector.file);
        if (!made.ok()) return made.status();
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Exporter>> ComposePrinter(const Config& config,
                                                         collector::Format format) {
  std::vector<std::unique_ptr<Transport>> transports;
  transports.push_back(std::make_unique<PrintTransport>(format));
  // All there is, elements of our own too: what is printed here needs no number that others know.
  Exporter::Options options =
      OptionsOf(config.exporter, ipfix::Layout::OfProfile(ipfix::Profile::kFull, ipfix::kOwn));
  options.interval = std::min(options.interval, kLongestPrintInterval);
  options.statistics_interval = {};
  return ComposeExporter(config.exporter, options, {}, std::move(transports));
}

}  // namespace sockflow
