// SPDX-License-Identifier: MIT
#include "source/pcap/pcap_event_source.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "fmt/format.h"
#include "source/interfaces.h"
#include "source/pcap/owners/socket_ends.h"
#include "spdlog/spdlog.h"

namespace sockflow::pcap {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// After packets came, more are likely. To rest for a while then, and not for the next packet, makes one
// round for all that comes meanwhile instead of a wakeup for each.
constexpr Duration kNap = milliseconds(10);
// While few come, a shorter one: of a process that dies at once more is known then (its user, its program).
constexpr Duration kShortNap = milliseconds(1);
constexpr Duration kFew = std::chrono::microseconds(250);  // longer than this between two of them
constexpr Duration kLongestSleep = seconds(1);
constexpr Duration kReopenInterval = seconds(1);

Time Now() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }

}  // namespace

absl::StatusOr<std::unique_ptr<PcapEventSource>> PcapEventSource::Open(const Options& options) {
  std::unique_ptr<PcapEventSource> source(new PcapEventSource(options));
  auto rest = Rest::Make();
  if (!rest.ok()) return rest.status();
  source->rest_ = *std::move(rest);
  for (Tap& tap : source->taps_) {
    auto capture = LiveCapture::Open(tap.options);
    if (absl::IsUnavailable(capture.status())) {
      spdlog::warn("{}: waiting for it", std::string(capture.status().message()));
      continue;
    }
    if (!capture.ok()) return capture.status();
    tap.capture = *std::move(capture);
  }
  // After the captures: of a socket that is told about, the packets are there too.
  source->owners_ = OpenOwnerFinder();
  return source;
}

PcapEventSource::PcapEventSource(const Options& options)
    : options_(options),
      now_(Now()),
      tracker_({.max_sessions = options.max_sessions,
                .every_segment = options.filter.every_segment,
                // Two ids for each session, and so never one of an earlier run again.
                .first_id = static_cast<SessionId>(now_.time_since_epoch().count()),
                .ends =
                    [this](const Endpoint& initiator, const Endpoint& responder) {
                      HandshakeTracker::Ends ends{
                          .initiator = local_.Contains(initiator.address, now_),
                          .responder = local_.Contains(responder.address, now_)};
                      // One session of two others is told once, as its initiator sees it.
                      if (!ends.initiator && !ends.responder) ends.initiator = options_.forwarded;
                      return ends;
                    },
                .still_open = [this](const Endpoint& local,
                                     const Endpoint& remote) { return owners_->HasSocket(local, remote); },
                .answered =
                    [this](const SessionEvent& responder) {
                      early_findings_[responder.id] = {};
                      owners_->Look({.id = responder.id,
                                     .direction = responder.direction,
                                     .local = responder.local,
                                     .remote = responder.remote,
                                     .at = responder.at});
                    },
                .abandoned =
                    [this](SessionId id) {
                      early_findings_.erase(id);
                      owners_->Forget(id, false, [](const Finding&) {});
                    }}) {
  const std::vector<std::string> any = {"any"};
  for (const std::string& interface : options.interfaces.empty() ? any : options.interfaces) {
    taps_.push_back({.options = {.interface = interface,
                                 .filter = options.filter,
                                 .buffer_octets = options.buffer_octets,
                                 .promiscuous = options.forwarded},
                     .number = static_cast<uint32_t>(taps_.size() + 1)});
  }
}

void PcapEventSource::RestUntilThereIsWork(Duration wait, Time now) {
  descriptors_.clear();
  Duration longest = std::min(few_ ? kShortNap : kNap, owners_->patience());
  if (quiet_) {
    longest = kLongestSleep;
    for (const Tap& tap : taps_) {
      if (tap.capture) descriptors_.push_back(tap.capture->descriptor());
    }
    for (const int descriptor : owners_->descriptors()) descriptors_.push_back(descriptor);
    for (const Time deadline : {tracker_.NextDeadline(), owners_->NextDeadline()}) {
      if (deadline != Time::max()) longest = std::min(longest, Duration(deadline - now));
    }
  }
  rest_->Wait(descriptors_, std::clamp(wait, Duration::zero(), std::max(longest, Duration::zero())));
}

void PcapEventSource::CountDrops(Tap& tap) {
  const LiveCapture::Stats stats = tap.capture->stats();
  // libpcap counts in 32 bits.
  dropped_ += static_cast<uint32_t>(stats.dropped - tap.seen.dropped);
  interface_dropped_ += static_cast<uint32_t>(stats.interface_dropped - tap.seen.interface_dropped);
  tap.seen = stats;
}

void PcapEventSource::Reopen(Tap& tap, Time now) {
  if (now < tap.next_attempt && tap.next_attempt - now <= kReopenInterval) return;
  tap.next_attempt = now + kReopenInterval;
  auto capture = LiveCapture::Open(tap.options);
  if (!capture.ok()) return;
  tap.capture = *std::move(capture);
  tap.seen = {};
  spdlog::info("interface {} is captured again", tap.options.interface);
}

void PcapEventSource::ReadPackets(Time now) {
  segments_.clear();
  for (Tap& tap : taps_) {
    if (!tap.capture) Reopen(tap, now);
    if (!tap.capture) continue;
    const absl::Status read = tap.capture->Read([this, &tap](const CapturedPacket& packet) {
      TcpSegment segment;
      CapturedPacket numbered = packet;
      numbered.interface = tap.number;
      if (census_.Read(numbered, segment)) segments_.push_back(segment);
    });
    if (read.ok()) continue;
    ++interface_gone_;
    spdlog::warn("nothing is captured on {} until it is back: {}", tap.options.interface,
                 std::string(read.message()));
    CountDrops(tap);
    tap.capture.reset();
    tap.next_attempt = now + kReopenInterval;
  }
  if (taps_.size() > 1) {
    std::stable_sort(segments_.begin(), segments_.end(),
                     [](const TcpSegment& a, const TcpSegment& b) { return a.at < b.at; });
  }
}

// What a filter in libpcap's language would keep of them nobody can tell.
std::vector<OpenSession> PcapEventSource::FindExisting() {
  if (!options_.existing || !options_.filter.expression.empty()) return {};
  std::vector<OpenSession> sessions = owners_->OpenSessions();
  const std::vector<IpAddress>& hosts = options_.filter.hosts;
  absl::flat_hash_set<IpAddress> ours;
  bool loopback = false;
  for (const std::string& name : options_.interfaces) {
    const auto interface = FindInterface(name);
    if (!interface.ok()) continue;
    ours.insert(interface->addresses.begin(), interface->addresses.end());
    loopback = loopback || interface->is_loopback;
  }
  std::erase_if(sessions, [&](const OpenSession& session) {
    const IpAddress& local = session.local.address;
    const auto is_chosen = [&](const IpAddress& host) {
      return host == local || host == session.remote.address;
    };
    if (!hosts.empty() && std::ranges::none_of(hosts, is_chosen)) return true;
    // Packets between addresses of the host itself pass its loopback interface.
    const bool inside = local.is_loopback() || local_.Contains(session.remote.address, now_);
    return !options_.interfaces.empty() && (inside ? !loopback : !ours.contains(local));
  });
  return sessions;
}

void PcapEventSource::Adopt(const std::vector<OpenSession>& sessions, Deliver deliver) {
  absl::flat_hash_map<SocketEnds, const OpenSession*> by_ends;
  for (const OpenSession& session : sessions) by_ends[{session.local, session.remote}] = &session;
  for (const TcpSegment& segment : segments_) {
    if ((segment.flags & kSyn) == 0) continue;
    by_ends.erase({segment.source, segment.destination});
    by_ends.erase({segment.destination, segment.source});
  }
  size_t found_sessions = 0;
  for (const OpenSession& session : sessions) {
    if (!by_ends.contains({session.local, session.remote})) continue;
    ++found_sessions;
    const bool active = session.direction == Direction::kActive;
    tracker_.Adopt(active ? session.local : session.remote, active ? session.remote : session.local, now_,
                   [&](const SessionEvent& event) {
                     SessionEvent told = event;
                     const auto found = by_ends.find({event.local, event.remote});
                     if (found != by_ends.end()) {
                       told.socket_cookie = found->second->socket_cookie;
                       told.process = found->second->process;
                       if (told.process) told.attribution = Attribution::kHolder;
                     }
                     OnEvent(told, deliver);
                   });
  }
  spdlog::info("older sessions: {} found", found_sessions);
}

absl::Status PcapEventSource::Poll(Duration wait, Deliver deliver) {
  // Listed before packets are read: of a session that began after the capture its SYN is among them.
  std::vector<OpenSession> existing;
  const bool begins = !std::exchange(begun_, true);
  if (begins) {
    existing = FindExisting();
  } else {
    RestUntilThereIsWork(wait, Now());
  }
  const Time before = std::exchange(now_, Now());
  ReadPackets(now_);
  const auto on_event = [this, deliver](const SessionEvent& event) { OnEvent(event, deliver); };
  const auto found = [this, deliver](const Finding& finding) {
    OnFinding(finding, now_, deliver);
  };
  // What the kernel tells of these packets' sockets it told before it sent them.
  owners_->Poll(now_, found);
  if (begins && options_.existing) Adopt(existing, deliver);
  for (const TcpSegment& segment : segments_) tracker_.Apply(segment, on_event);
  if (!segments_.empty()) owners_->Poll(now_, found);
  tracker_.Expire(now_, on_event);
  quiet_ = segments_.empty();
  few_ = kFew * segments_.size() < now_ - before;
  return absl::OkStatus();
}

void PcapEventSource::OnEvent(const SessionEvent& event, Deliver deliver) {
  SessionEvent told = event;
  const auto take = [&told](const Finding& finding) {
    if (finding.socket_cookie != 0) told.socket_cookie = finding.socket_cookie;
    if (!finding.process) return;
    told.process = finding.process;
    told.attribution = finding.attribution;
  };
  switch (event.kind) {
    case SessionEvent::Kind::kConnect:
      if (!local_.Contains(event.local.address, now_)) break;  // of other hosts
      told.owner_may_follow = true;
      owners_->Look({.id = event.id,
                     .direction = event.direction,
                     .local = event.local,
                     .remote = event.remote,
                     .at = event.at});
      break;
    case SessionEvent::Kind::kEstablished:
      if (const auto early = early_findings_.extract(event.id)) take(early.mapped());
      // Who accepted is known already: no need to wait for it.
      if (told.process && MoreCertain(told.attribution, Attribution::kListener)) {
        told.kind = SessionEvent::Kind::kAccept;
      }
      break;
    case SessionEvent::Kind::kClose:
      owners_->Forget(event.id, event.end_cause == EndCause::kLocalReset, take);
      break;
    default:
      break;
  }
  ++events_;
  deliver(told);
}

void PcapEventSource::OnFinding(const Finding& finding, Time now, Deliver deliver) {
  const auto early = early_findings_.find(finding.id);
  if (early != early_findings_.end()) {
    // That the handshake is done may be told after who listens, and alone.
    if (finding.process || !early->second.process) early->second = finding;
    if (finding.established) {
      tracker_.Established(finding.id, now, [this, deliver](const SessionEvent& event) {
        OnEvent(event, deliver);
      });
    }
    return;
  }
  if (!finding.process) return;
  ++events_;
  deliver({.kind = SessionEvent::Kind::kOwner,
           .id = finding.id,
           .socket_cookie = finding.socket_cookie,
           .at = now,
           .process = finding.process,
           .attribution = finding.attribution});
}

SourceStats PcapEventSource::stats() {
  for (Tap& tap : taps_) {
    if (tap.capture) CountDrops(tap);
  }
  const HandshakeTracker::Stats& tracked = tracker_.stats();
  SourceStats stats{.events = events_};
  stats.lost = {{"capture_buffer_full", dropped_},
                {"interface_dropped", interface_dropped_},
                {"interface_gone", interface_gone_},
                {"unknown_session", tracked.unknown_session},
                {"tracker_full", tracked.evicted}};
  stats.set_aside = {{"half_open", tracked.half_open}, {"not_of_this_host", tracked.not_ours}};
  census_.AddTo(stats);
  for (LossCounter& loss : owners_->losses()) stats.lost.push_back(std::move(loss));
  return stats;
}

std::string PcapEventSource::description() const {
  std::string where;
  for (const Tap& tap : taps_) {
    where += fmt::format("{}{}", where.empty() ? "" : ", ", tap.options.interface);
    if (tap.capture) where += fmt::format(" ({})", tap.capture->link_type_name());
  }
  return fmt::format("pcap on {}; {}", where, owners_->description());
}

}  // namespace sockflow::pcap
