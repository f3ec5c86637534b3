// SPDX-License-Identifier: MIT
#include "agent/status_pages.h"

#include <chrono>
#include <utility>

#include "agent/metrics_page.h"
#include "agent/own_process.h"
#include "fmt/format.h"
#include "health/exposition.h"
#include "transport/tcp_listener.h"
#include "transport/url.h"

namespace sockflow {
namespace {

// A pipeline that has not come round for so long does not work. Looking a name up when the configuration
// is read again may take some of it.
constexpr auto kLongestRound = std::chrono::seconds(15);
// How long a page waits for the pipeline: its rounds take milliseconds.
constexpr auto kPatience = std::chrono::milliseconds(1000);

health::Page Unavailable(std::string sentence) { return {.status = 503, .body = std::move(sentence) + "\n"}; }

double Seconds(StatusBoard::Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

health::Page HealthPage(StatusBoard& board) {
  // Asked only if it may sleep: an idle one beats each second anyway.
  if (board.SinceBeat() > kLongestRound) board.Ask(kPatience);
  const auto since = board.SinceBeat();
  const StatusBoard::Phase phase = board.phase();
  // The end has a time of its own (exporter.shutdown_seconds).
  if (phase == StatusBoard::Phase::kStopping) return {.body = "stopping\n"};
  if (since <= kLongestRound) return {.body = "ok\n"};
  if (phase == StatusBoard::Phase::kStarting) {
    return Unavailable(fmt::format("the agent has been starting for {:.0f} s; its log says what it waits for",
                                   Seconds(since)));
  }
  return Unavailable(fmt::format("the agent has not looked for events for {:.0f} s; restart it", Seconds(since)));
}

health::Page ReadyPage(StatusBoard& board) {
  switch (board.phase()) {
    case StatusBoard::Phase::kStarting: return Unavailable("starting: nothing is captured yet");
    case StatusBoard::Phase::kStopping: return Unavailable("stopping: nothing is captured any more");
    case StatusBoard::Phase::kRunning: break;
  }
  const auto stats = board.Ask(kPatience);
  if (stats == nullptr) return Unavailable("the agent does not answer: see /healthz");
  if (std::string why = WhyNotReady(*stats); !why.empty()) return Unavailable(std::move(why));
  return {.body = "ready\n"};
}

}  // namespace

std::string WhyNotReady(const AgentStats& stats) {
  if (stats.collectors.empty()) return "there is no collector";
  std::string all;
  for (const AgentStats::Collector& collector : stats.collectors) {
    const delivery::DeliveryStats& delivery = collector.delivery;
    if (delivery.open || delivery.queued_octets <= delivery.queue_capacity / 2 ||
        delivery.spooled_octets < delivery.spool_capacity / 2) {
      return "";
    }
    all += fmt::format("{}{} cannot be reached, and its queue holds {} of {} octets", all.empty() ? "" : "; ",
                       collector.name, delivery.queued_octets, delivery.queue_capacity);
    if (delivery.spool_capacity != 0) {
      all += fmt::format(", its spool {} of {}", delivery.spooled_octets, delivery.spool_capacity);
    }
  }
  return all;
}

health::Page StatusPage(std::string_view path, StatusBoard& board) {
  if (path == "/metrics") {
    const auto stats = board.Ask(kPatience);
    return {.content_type = health::Exposition::kContentType,
            .body = MetricsPage(stats.get(), ReadOwnProcess(), board.SinceBeat())};
  }
  if (path == "/healthz") return HealthPage(board);
  if (path == "/readyz") return ReadyPage(board);
  if (path == "/") return {.body = "sockflow: /metrics /healthz /readyz\n"};
  return health::ErrorPage(404);
}

absl::StatusOr<std::unique_ptr<health::HttpServer>> ServeStatus(const Config::Metrics& config,
                                                                std::shared_ptr<StatusBoard> board) {
  if (config.listen.empty()) return nullptr;
  const auto at = [&config](const absl::Status& status) {
    return absl::Status(status.code(), fmt::format("{}: {}", config.place.ToString(),
                                                   std::string(status.message())));
  };
  // It was found sound as the configuration was read (config/values.cc).
  auto url = transport::ParseListenUrl("udp://" + config.listen);
  if (!url.ok()) return at(url.status());
  url->scheme = "tcp";
  auto listener = transport::TcpListener::Open(*url);
  if (!listener.ok()) return at(listener.status());
  auto server = health::HttpServer::Start(
      *std::move(listener),
      [board = std::move(board)](std::string_view path) { return StatusPage(path, *board); }, {});
  if (!server.ok()) return at(server.status());
  return server;
}

}  // namespace sockflow
