// SPDX-License-Identifier: MIT
#include "source/pcap/file_event_source.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "spdlog/spdlog.h"

namespace sockflow::pcap {
namespace {

// Of one Poll: the records of so many find room in half of the smallest queue (exporter.queue_bytes).
constexpr size_t kEvents = 32;

}  // namespace

absl::StatusOr<std::unique_ptr<FileEventSource>> FileEventSource::Open(const Options& options) {
  const auto with_path = [&options](const absl::Status& status) {
    return absl::Status(status.code(),
                        fmt::format("{} {}", options.path, std::string(status.message())));
  };
  auto stream = OpenByteStream(options.path);
  if (!stream.ok()) return with_path(stream.status());
  auto file = CaptureFile::Open(*std::move(stream));
  if (!file.ok()) return with_path(file.status());
  return std::unique_ptr<FileEventSource>(new FileEventSource(options, *std::move(file)));
}

FileEventSource::FileEventSource(const Options& options, std::unique_ptr<CaptureFile> file)
    : options_(options),
      file_(std::move(file)),
      tracker_({.max_sessions = options.max_sessions,
                .every_segment = true,
                .ends = [](const Endpoint&, const Endpoint&) {
                  return HandshakeTracker::Ends{.initiator = true};
                }}) {}

absl::StatusOr<const PacketFilter*> FileEventSource::FilterFor(uint32_t link_type) {
  const auto known = filters_.find(link_type);
  if (known != filters_.end()) return known->second.get();
  auto filter = PacketFilter::Compile(link_type, options_.expression);
  if (!filter.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("bpf.filter: \"{}\" for packets of link type {}: {}", options_.expression,
                    link_type, std::string(filter.status().message())));
  }
  return (filters_[link_type] = *std::move(filter)).get();
}

absl::StatusOr<bool> FileEventSource::ReadPacket() {
  CapturedPacket packet;
  const auto more = file_->Next(packet);
  if (!more.ok()) {
    return absl::Status(more.status().code(), fmt::format("{} {}", options_.path,
                                                          std::string(more.status().message())));
  }
  if (!*more) return false;
  if (seen_link_types_.insert(packet.link_type).second && !IsSupported(packet.link_type)) {
    spdlog::warn("{}: packets of link type {} cannot be read, and are left out", options_.path,
                 packet.link_type);
  }
  // Merged files may go back a little.
  last_ = std::max(last_, packet.at);
  TcpSegment segment;
  if (!census_.Read(packet, segment)) return true;
  if (!options_.expression.empty()) {
    const auto filter = FilterFor(packet.link_type);
    if (!filter.ok()) return filter.status();
    if (!(*filter)->Keeps(packet.octets, packet.length)) {
      ++filtered_;
      return true;
    }
  }
  const auto keep = [this](const SessionEvent& event) { untold_.push_back(event); };
  tracker_.Expire(segment.at, keep);
  tracker_.Apply(segment, keep);
  return true;
}

void FileEventSource::ReadSome() {
  untold_.clear();
  told_ = 0;
  while (!read_ && untold_.empty()) {
    const auto more = ReadPacket();
    if (more.ok() && *more) continue;
    read_ = true;
    end_ = more.status();
    tracker_.Finish(last_, [this](const SessionEvent& event) { untold_.push_back(event); });
  }
}

absl::Status FileEventSource::Poll(Duration, absl::FunctionRef<void(const SessionEvent&)> deliver) {
  for (size_t i = 0; i < kEvents; ++i) {
    if (told_ == untold_.size()) ReadSome();
    if (finished()) return end_;
    ++events_;
    deliver(untold_[told_++]);
  }
  return absl::OkStatus();
}

SourceStats FileEventSource::stats() {
  const HandshakeTracker::Stats& tracked = tracker_.stats();
  SourceStats stats{.events = events_};
  stats.lost = {{"unknown_session", tracked.unknown_session}, {"tracker_full", tracked.evicted}};
  stats.set_aside = {{"half_open", tracked.half_open}, {"filtered_packet", filtered_}};
  census_.AddTo(stats);
  return stats;
}

std::string FileEventSource::description() const {
  return fmt::format("file {} ({})", options_.path, file_->description());
}

}  // namespace sockflow::pcap
