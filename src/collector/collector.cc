// SPDX-License-Identifier: MIT
#include "collector/collector.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "spdlog/spdlog.h"

namespace sockflow::collector {
namespace {

using ipfix::MessageDecoder;
using std::chrono::milliseconds;
using std::chrono::seconds;
using transport::UdpListener;

// Lines are written when nothing has come for kQuiet, but not later than kLongest after the first:
// live to look at, and yet not one system call for each.
constexpr auto kQuiet = milliseconds(10);
constexpr auto kLongest = milliseconds(100);
constexpr size_t kEnough = 64 << 10;
// With so much waiting for a slow reader, datagrams are left in the kernel, which drops and counts
// what does not fit there.
constexpr size_t kTooMuch = 16 << 20;
constexpr auto kLook = seconds(1);
constexpr auto kLastDatagrams = milliseconds(500);
constexpr auto kLastLines = seconds(1);
constexpr size_t kMaxToldOf = 4096;

std::string TextOf(const absl::Status& status) { return std::string(status.message()); }

// The address in "192.0.2.1:51000" or "[2001:db8::1]:51000".
std::optional<IpAddress> AddressOf(std::string_view peer) {
  std::string_view address = peer.substr(0, peer.rfind(':'));
  if (address.starts_with('[')) address = address.substr(1, address.find_first_of("%]") - 1);
  return IpAddress::Parse(address);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Collector>> Collector::Open(const CollectOptions& options) {
  std::vector<transport::Url> urls;
  for (const std::string& text : options.listen) {
    absl::StatusOr<transport::Url> url = transport::ParseListenUrl(text);
    if (!url.ok()) return url.status();
    urls.push_back(*std::move(url));
  }
  return Open(options, urls);
}

absl::StatusOr<std::unique_ptr<Collector>> Collector::Open(const CollectOptions& options,
                                                           std::span<const transport::Url> urls) {
  if (urls.empty()) {
    return absl::InvalidArgumentError(
        "there is nothing to listen on; give at least one --listen udp://HOST:PORT");
  }
  absl::StatusOr<std::unique_ptr<Output>> output = Output::Open(options.output);
  if (!output.ok()) return output.status();
  std::vector<std::unique_ptr<UdpListener>> listeners;
  for (const transport::Url& url : urls) {
    absl::StatusOr<std::unique_ptr<UdpListener>> listener = UdpListener::Open(url);
    if (!listener.ok()) return listener.status();
    listeners.push_back(*std::move(listener));
  }
  return std::unique_ptr<Collector>(
      new Collector(options, *std::move(output), std::move(listeners)));
}

Collector::Collector(const CollectOptions& options, std::unique_ptr<Output> output,
                     std::vector<std::unique_ptr<UdpListener>> listeners)
    : duration_(options.duration),
      output_(std::move(output)),
      listeners_(std::move(listeners)),
      printer_(MakePrinter(options.format, TextStyleFor(output_->fd()))),
      decoder_(MessageDecoder::Options()) {
  for (const auto& listener : listeners_) listening_.push_back(listener->name());
}

absl::Status Collector::Run(int stop_fd) {
  std::vector<pollfd> watched;
  watched.push_back({.fd = stop_fd, .events = POLLIN, .revents = 0});
  watched.push_back({.fd = output_->fd(), .events = 0, .revents = 0});
  for (const auto& listener : listeners_) {
    watched.push_back({.fd = listener->fd(), .events = POLLIN, .revents = 0});
  }
  begin_ = now_ = std::chrono::steady_clock::now();
  const Moment end = duration_ > Duration::zero() ? begin_ + duration_ : Moment::max();

  while (now_ < end && !output_is_closed_) {
    watched[1].events = output_is_busy_ ? POLLOUT : 0;
    const bool is_full = output_->waiting() >= kTooMuch;
    for (size_t i = 2; i < watched.size(); ++i) watched[i].events = is_full ? 0 : POLLIN;
    // Until the end, the next look at the losses, or the moment to write.
    Moment until = std::min(end, next_look_ > now_ ? next_look_ : now_ + kLook);
    if (output_->waiting() > 0 && !output_is_busy_) until = std::min(until, now_ + kQuiet);
    const auto wait = std::chrono::ceil<milliseconds>(until - now_).count();
    const int ready = poll(watched.data(), watched.size(), static_cast<int>(wait));
    now_ = std::chrono::steady_clock::now();
    if (ready < 0) continue;  // interrupted by a signal that is not for us
    if (watched[0].revents != 0) break;
    if ((watched[1].revents & (POLLERR | POLLHUP)) != 0) output_is_closed_ = true;
    if ((watched[1].revents & POLLOUT) != 0) output_is_busy_ = false;

    bool quiet = true;
    for (size_t i = 2; i < watched.size(); ++i) {
      if (watched[i].revents != 0 && Receive(i - 2)) quiet = false;
    }
    if (!output_is_closed_ && WaitsLongEnough(quiet)) Write();
    if (now_ >= next_look_) TellLosses();
  }

  const Moment last = now_ + kLastDatagrams;
  for (size_t i = 0; i < listeners_.size() && !output_is_closed_; ++i) {
    while (now_ < last && output_->waiting() < kTooMuch && Receive(i)) {
      now_ = std::chrono::steady_clock::now();
    }
  }
  WriteRest();
  if (output_->lines_dropped() == 0 || output_is_closed_) return absl::OkStatus();
  return absl::DataLossError(output_->trouble());
}

bool Collector::Receive(size_t listener) {
  const absl::StatusOr<size_t> received = listeners_[listener]->Receive(
      [&](std::string_view peer, std::span<const uint8_t> message) {
        Take(listener, peer, message);
      });
  if (!received.ok()) complaints_.Say("receive", TextOf(received.status()), now_);
  return received.ok() && *received > 0;
}

void Collector::Take(size_t listener, std::string_view peer, std::span<const uint8_t> message) {
  if (listener != sender_listener_ || peer != sender_) SetSender(listener, peer);
  const MessageDecoder::Stats before = decoder_.stats();
  if (output_->waiting() == 0) waiting_since_ = now_;
  const absl::Status status =
      decoder_.Decode(session_, message, [&](const ipfix::RecordView& record) {
        printer_->Print(record, output_->lines());
      });
  if (!status.ok()) TellMalformed(before, status);
  if (decoder_.stats().unknown_template_sets > before.unknown_template_sets) TellUnknownTemplate();
}

void Collector::SetSender(size_t listener, std::string_view peer) {
  sender_listener_ = listener;
  sender_ = peer;
  session_ = fmt::format("{} {}", listening_[listener], peer);
  printer_->set_exporter(AddressOf(peer));
}

void Collector::TellMalformed(const MessageDecoder::Stats& before, const absl::Status& status) {
  std::string_view kind = "malformed";
  const auto counts = ipfix::MalformedReasons(decoder_.stats());
  const auto counts_before = ipfix::MalformedReasons(before);
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i].second > counts_before[i].second) kind = counts[i].first;
  }
  complaints_.Say(kind,
                  fmt::format("discarded a malformed message from {} ({}): {}", sender_, kind,
                              TextOf(status)),
                  now_);
}

void Collector::TellUnknownTemplate() {
  if (told_of_templates_.size() >= kMaxToldOf) return;
  if (!told_of_templates_.insert(session_).second) return;
  complaints_.Say("unknown_template",
                  fmt::format("records from {} cannot be decoded until it sends their template "
                              "again, as exporters do from time to time",
                              sender_),
                  now_);
}

void Collector::TellLosses() {
  next_look_ = now_ + kLook;
  uint64_t drops = 0;
  for (const auto& listener : listeners_) drops += listener->stats().kernel_drops;
  if (drops > drops_told_) {
    complaints_.Say("kernel_drops",
                    fmt::format("the kernel has dropped {} datagrams because the receive buffer "
                                "was full; raise net.core.rmem_max or send less",
                                drops),
                    now_);
    drops_told_ = drops;
  }
  complaints_.Tick(now_);
}

bool Collector::WaitsLongEnough(bool quiet) const {
  if (output_->waiting() == 0 || output_is_busy_) return false;
  return quiet || output_->waiting() >= kEnough || now_ - waiting_since_ >= kLongest;
}

void Collector::Write() {
  switch (output_->Write()) {
    case Output::Result::kDone:
      break;
    case Output::Result::kBusy:
      output_is_busy_ = true;
      break;
    case Output::Result::kRefused:
      complaints_.Say("output", output_->trouble(), now_);
      break;
    case Output::Result::kClosed:
      output_is_closed_ = true;
      break;
  }
}

void Collector::WriteRest() {
  const Moment last = now_ + kLastLines;
  while (!output_is_closed_ && output_->waiting() > 0 && now_ < last) {
    const uint64_t dropped = output_->lines_dropped();
    Write();
    if (output_->lines_dropped() > dropped) break;
    if (output_->waiting() > 0) {
      pollfd ready = {.fd = output_->fd(), .events = POLLOUT, .revents = 0};
      poll(&ready, 1, 100);
    }
    now_ = std::chrono::steady_clock::now();
  }
}

std::string Collector::Summary() {
  const MessageDecoder::Stats& decoded = decoder_.stats();
  uint64_t malformed = 0;
  std::string reasons;
  for (const auto& [name, count] : ipfix::MalformedReasons(decoded)) {
    if (count == 0) continue;
    malformed += count;
    reasons += fmt::format("{}{}={}", reasons.empty() ? " (" : " ", name, count);
  }
  if (!reasons.empty()) reasons += ")";
  uint64_t kernel_drops = 0;
  uint64_t truncated = 0;
  for (const auto& listener : listeners_) {
    kernel_drops += listener->stats().kernel_drops;
    truncated += listener->stats().truncated;
  }
  return fmt::format(
      "collected messages={} records={} malformed={}{} sets_without_template={} "
      "records_lost_by_sequence={} datagrams_dropped_by_kernel={} datagrams_too_long={} "
      "lines_dropped={}",
      decoded.messages, decoded.records, malformed, reasons, decoded.unknown_template_sets,
      decoded.lost_records - decoded.late_records, kernel_drops, truncated,
      output_->lines_dropped());
}

}  // namespace sockflow::collector
