// SPDX-License-Identifier: MIT
#include <time.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <thread>
#include <utility>

#include "fmt/format.h"
#include "source/pcap/owners/linux_owner_finder.h"
#include "source/pcap/owners/open_sessions.h"
#include "source/pcap/owners/trace_directory.h"

namespace sockflow::pcap {
namespace {

// When the host is asked for a session of which nothing was heard: a socket has its descriptor when it
// is accepted, which may be much later.
constexpr Duration kAskAfter[] = {
    std::chrono::milliseconds(1),   std::chrono::milliseconds(10), std::chrono::milliseconds(100),
    std::chrono::seconds(1), std::chrono::seconds(10)};
// The tracepoint tells of a handshake as it is done, and mostly who did it: what is asked for is what waits
// long, and sessions of servers of several processes.
constexpr size_t kFirstAskOfAccept = 1;
constexpr size_t kFirstAskOfConnect = 2;
// A session is over so soon after its first packet that its record may still be missing; and how long that
// may take.
constexpr Duration kAtOnce = std::chrono::microseconds(500);
constexpr Duration kTakesEffect = std::chrono::microseconds(50);
// So long somebody else may turn up who has the same ends, in our network or in another.
constexpr Duration kContest = std::chrono::milliseconds(5);
constexpr Duration kLookForCpus = std::chrono::seconds(5);

// A session that waits for the last packet of its handshake is TCP_NEW_SYN_RECV in the kernel, and shown
// as SYN_RECV.
bool IsHalfOpen(TcpState state) { return state == TcpState::kSynRecv || state == TcpState::kUnknown; }

Time Now() {
  timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return Time(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
}

}  // namespace

LinuxOwnerFinder::LinuxOwnerFinder(const OwnerFinderOptions& options)
    : options_(options),
      processes_([this](uint32_t pid) { return reader_.Read(pid); },
                 [this](uint32_t pid, uint32_t thread) { return reader_.ReadThreadName(pid, thread); }),
      acceptors_(processes_, search_, scan_) {
  now_ = Now();
  absl::StatusOr<SocketTables> tables = SocketTables::Open();
  if (tables.ok()) tables_ = *std::move(tables);
  const absl::Status traced =
      options.allow_trace ? OpenTrace() : absl::CancelledError("it is not to be used");
  if (traced.ok()) {
    description_ = "owners from the tracepoint sock:inet_sock_set_state";
  } else {
    description_ = fmt::format("owners from sock_diag and /proc, since the tracepoint "
                               "sock:inet_sock_set_state cannot be used: {}",
                               std::string(traced.message()));
  }
  if (!SocketHolders::MayReadOthers()) {
    description_ += "; the descriptors of other users' processes may not be read, which leaves owners "
                    "unknown: give CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH";
  }
  if (!tables_) description_ += fmt::format("; {}", std::string(tables.status().message()));
  acceptors_.Begin(now_, traced.ok());
}

absl::Status LinuxOwnerFinder::OpenTrace() {
  if (!layout_) {
    const absl::StatusOr<std::string> format = ReadTracepointFormat("sock", "inet_sock_set_state");
    if (!format.ok()) return format.status();
    const absl::StatusOr<SocketStateLayout> layout = ParseSocketStateFormat(*format);
    if (!layout.ok()) return layout.status();
    layout_ = *layout;
  }
  absl::StatusOr<PerfRings> rings = PerfRings::Open(*layout_, options_.most_trace_octets);
  if (!rings.ok()) return rings.status();
  rings_ = *std::move(rings);
  return absl::OkStatus();
}

void LinuxOwnerFinder::Look(const LocalEnd& end) {
  Watch watch = {.id = end.id,
                 .ends = {end.local, end.remote},
                 .at = end.at,
                 .passive = end.direction == Direction::kPassive};
  if (Consider(watch)) return;
  // Where nobody tells the socket is looked for while it lives.
  if ((!rings_ || blind_) && AskHost(watch)) return;
  AskLater(watch);
  ids_.Put(watch.ends, watch.id);
  watched_.Put(watch.id, watch);
}

bool LinuxOwnerFinder::Consider(Watch& watch, bool is_over) {
  return watch.passive ? ConsiderPassive(watch, is_over) : ConsiderActive(watch, is_over);
}

bool LinuxOwnerFinder::ConsiderActive(Watch& watch, bool is_over) {
  const Connected* connected = traced_.FindConnected(watch.ends, watch.at);
  if (connected == nullptr ||
      !IsOurs(connected->caller, connected->contested, connected->answered, watch, is_over)) {
    return false;
  }
  watch.attribution = Attribution::kCaller;
  watch.established = connected->established;
  Tell(watch, connected->caller.process);
  traced_.Erase(watch.ends);
  return true;
}

// The same ends may be in use in another network namespace, and the kernel's records do not tell which one
// they are of. A process that can be asked decides; one that is gone is taken for ours if nobody else turns
// up who had these ends then.
bool LinuxOwnerFinder::IsOurs(const ProcessFacts& facts, bool contested, Time at, const Watch& watch,
                              bool is_over) {
  if (facts.network != Network::kUnproven) return facts.network == Network::kOurs;
  if (contested) return false;
  if (is_over || now_ >= at + kContest) return true;
  deadlines_.push({at + kContest, watch.id});
  return false;
}

bool LinuxOwnerFinder::ConsiderPassive(Watch& watch, bool is_over) {
  const Answered* answered = traced_.FindAnswered(watch.ends, watch.at);
  if (answered == nullptr) return false;
  const Time accepted = answered->established.value_or(watch.at);
  if (answered->closer && !IsOurs(*answered->closer, answered->contested, accepted, watch, is_over)) {
    return false;
  }
  if (answered->closer && acceptors_.IsAcceptor(watch.ends.local, accepted, *answered, now_)) {
    watch.attribution = Attribution::kCaller;
    watch.established = true;
    Tell(watch, answered->closer->process);
  } else if (answered->established && watch.attribution == Attribution::kUnknown) {
    watch.established = true;
    TellListener(watch, is_over);
  }
  if (!answered->closer) return false;
  traced_.Erase(watch.ends);
  return true;
}

// Where nothing was heard of who had it, who reset it did. (After long the kernel resets it by itself, in
// anybody's context; but by then its holder was looked for.)
void LinuxOwnerFinder::ConsiderReset(Watch& watch) {
  if (!watch.passive || MoreCertain(watch.attribution, Attribution::kListener)) return;
  const Answered* answered = traced_.FindAnswered(watch.ends, watch.at);
  if (answered == nullptr || answered->closer || !answered->aborter) return;
  Answered by_reset = *answered;
  by_reset.closer = by_reset.aborter;
  const Time accepted = by_reset.established.value_or(watch.at);
  if (!IsOurs(*by_reset.closer, by_reset.contested, accepted, watch, /*is_over=*/true)) return;
  if (!acceptors_.IsAcceptor(watch.ends.local, accepted, by_reset, now_)) return;
  watch.attribution = Attribution::kCaller;
  watch.established = true;
  Tell(watch, by_reset.closer->process);
}

// Who will accept it if that is known, and that its handshake is done.
void LinuxOwnerFinder::TellListener(Watch& watch, bool is_over) {
  const Answered* answered = traced_.FindAnswered(watch.ends, watch.at);
  std::optional<uint32_t> pid = acceptors_.Listener(watch.ends.local, now_);
  if (!pid && answered != nullptr) pid = answered->listener;
  const std::optional<ProcessFacts> facts = pid ? Describe(*pid) : std::nullopt;
  std::optional<Process> process;
  if (facts && IsOurs(*facts, answered != nullptr && answered->contested, watch.at, watch, is_over)) {
    process = facts->process;
    watch.attribution = Attribution::kListener;
  }
  if (process || watch.established) Tell(watch, process);
}

bool LinuxOwnerFinder::AskHost(Watch& watch) {
  ++watch.asked;
  if (!tables_) return false;
  const std::optional<SocketFacts> socket = tables_->Find(watch.ends.local, watch.ends.remote);
  if (!socket) return !watch.passive && !rings_;  // closed, and nobody will tell
  watch.cookie = socket->cookie;
  if (watch.passive && !watch.established && !IsHalfOpen(socket->state)) {
    watch.established = true;
    TellListener(watch);
  }
  if (socket->inode == 0 || MoreCertain(watch.attribution, Attribution::kUnknown)) return false;
  if (const std::optional<uint32_t> pid = search_.Find(socket->inode)) {
    TellHolder(watch, *pid, socket->inode);
  } else if (!scan_.FindHolders(socket->inode)) {
    ++scans_refused_;
  } else {
    watch.scanned = socket->inode;
    scanned_for_[socket->inode] = watch.id;
  }
  return false;
}

void LinuxOwnerFinder::AskLater(const Watch& watch) {
  const size_t turn = watch.asked + (!rings_ ? 0 : watch.passive ? kFirstAskOfAccept : kFirstAskOfConnect);
  if (turn < std::size(kAskAfter) && watch.attribution == Attribution::kUnknown) {
    deadlines_.push({std::max(now_, watch.at) + kAskAfter[turn], watch.id});
  }
}

// The process as it is now; nullopt: it is gone.
std::optional<ProcessFacts> LinuxOwnerFinder::Describe(uint32_t pid) {
  if (!rings_) {  // nobody told whether it is still the same
    const std::optional<Process> now = reader_.ReadBasics(pid);
    if (!now) return std::nullopt;
    processes_.Confirm(*now);
  }
  return processes_.Describe(pid, pid, now_);
}

// Found with a descriptor of the socket: that it called connect() or accept() is a guess, unless it cannot
// be.
void LinuxOwnerFinder::TellHolder(Watch& watch, uint32_t pid, uint32_t inode) {
  constexpr int kMostGenerations = 8;
  for (int i = 0; i < kMostGenerations; ++i) {
    const std::optional<ProcessFacts> facts = Describe(pid);
    if (!facts) return;
    const bool older = SurelyBeganBefore(facts->process, watch.at);
    const uint32_t parent = facts->process.parent_pid;
    if (!older) {
      const std::optional<bool> parent_holds = search_.Holds(parent, inode);
      if (!parent_holds) return;
      if (*parent_holds) {
        pid = parent;  // that forked after it had the socket
        continue;
      }
    }
    // A young one may have it from somebody who is gone, or from a server that accepts before it forks.
    if (!older && (SurelyBeganAfter(facts->process, watch.at) || parent <= 1 || watch.passive)) return;
    if (watch.passive && !Listens(pid, watch.ends.local)) return;
    watch.attribution = Attribution::kHolder;
    Tell(watch, facts->process);
    return;
  }
}

bool LinuxOwnerFinder::Listens(uint32_t pid, const Endpoint& local) {
  if (acceptors_.MayAccept(pid, local)) return true;
  // Where it is too new for the list of listeners.
  const std::optional<SocketFacts> listener = tables_ ? tables_->FindListening(local) : std::nullopt;
  return listener && listener->inode != 0 && search_.Holds(pid, listener->inode) == true;
}

void LinuxOwnerFinder::Tell(const Watch& watch, const std::optional<Process>& process) {
  findings_.push_back({.id = watch.id,
                       .process = process,
                       .attribution = process ? watch.attribution : Attribution::kUnknown,
                       .socket_cookie = watch.cookie,
                       .established = watch.established});
}

void LinuxOwnerFinder::Forget(SessionId id, bool reset_here, Found found) {
  Watch* watch = watched_.Find(id);
  if (watch != nullptr && watch->attribution == Attribution::kUnknown && rings_) {
    // The last packets of a session may be seen a moment before the kernel's records of them.
    Drain();
    watch = watched_.Find(id);
    // A connect() that is refused at once is told of only as the RST takes effect, on another CPU.
    if (watch != nullptr && !watch->passive && now_ - watch->at < kAtOnce) {
      std::this_thread::sleep_for(kTakesEffect);
      Drain();
      watch = watched_.Find(id);
    }
  }
  if (watch != nullptr && watch->attribution == Attribution::kUnknown) Consider(*watch, /*is_over=*/true);
  if (watch != nullptr && reset_here) ConsiderReset(*watch);
  if (watch != nullptr && watch->passive && watch->attribution == Attribution::kUnknown) {
    TellListener(*watch, /*is_over=*/true);
  }
  if (watch != nullptr) Drop(*watch);
  std::erase_if(findings_, [&](const Finding& finding) {
    if (finding.id != id) return false;
    found(finding);
    return true;
  });
}

void LinuxOwnerFinder::Poll(Time now, Found found) {
  now_ = now;
  if (rings_) Drain();
  TakeScan();
  acceptors_.Poll(now);
  while (!deadlines_.empty() && deadlines_.top().at <= now) {
    Watch* watch = watched_.Find(deadlines_.top().id);
    deadlines_.pop();
    if (watch == nullptr || watch->attribution != Attribution::kUnknown) continue;
    if (Consider(*watch) || AskHost(*watch)) {
      Drop(*watch);
    } else {
      AskLater(*watch);
    }
  }
  // What is found may be taken for a reason to ask for more.
  for (const Finding& finding : std::exchange(findings_, {})) found(finding);
  // Nobody is to be woken for what is known by now.
  while (!deadlines_.empty() && !IsWaiting(deadlines_.top().id)) deadlines_.pop();
}

bool LinuxOwnerFinder::IsWaiting(SessionId id) {
  const Watch* watch = watched_.Find(id);
  return watch != nullptr && watch->attribution == Attribution::kUnknown;
}

// Nothing is told of a watch that is dropped, but what was found already.
void LinuxOwnerFinder::Drop(const Watch& watch) {
  const SessionId id = watch.id;
  if (watch.scanned != 0 && scanned_for_.erase(watch.scanned) != 0) scan_.Forget(watch.scanned);
  if (const SessionId* at = ids_.Find(watch.ends); at != nullptr && *at == id) ids_.Erase(watch.ends);
  watched_.Erase(id);
}

void LinuxOwnerFinder::Drain() {
  if (now_ - cpus_checked_ >= kLookForCpus) {
    cpus_checked_ = now_;
    if (rings_->CpusChanged()) {
      const absl::Status status = OpenTrace();
      Distrust();
      if (!status.ok()) {
        description_ = fmt::format("owners of some CPUs only: {}", std::string(status.message()));
      }
    }
  }
  blind_ = false;
  records_.clear();
  const bool whole = rings_->Drain(records_);
  for (const KernelRecord& record : records_) {
    if (const auto* lost = std::get_if<RecordsLost>(&record.what)) events_lost_ += lost->count;
  }
  if (!whole) return Distrust();
  for (const KernelRecord& record : records_) Apply(record);
}

void LinuxOwnerFinder::Apply(const KernelRecord& record) {
  acceptors_.Apply(record, tables_);
  if (const auto* start = std::get_if<TaskStart>(&record.what)) processes_.Start(*start, record.at);
  if (const auto* end = std::get_if<TaskEnd>(&record.what)) processes_.End(*end, record.at);
  if (const auto* rename = std::get_if<TaskRename>(&record.what)) processes_.Rename(*rename);
  const auto* change = std::get_if<StateChange>(&record.what);
  if (change == nullptr) return;
  const std::optional<SocketEnds> ends = traced_.Apply(
      *change, record.at, [this](const SocketEnds& e) { return ids_.Find(e) != nullptr; });
  if (!ends) return;
  if (change->from == TcpState::kSynRecv && change->to == TcpState::kEstablished) {
    traced_.NoteListener(*ends, acceptors_.ListedListener(change->local));
  }
  const SessionId* id = ids_.Find(*ends);
  Watch* watch = id == nullptr ? nullptr : watched_.Find(*id);
  if (watch != nullptr && Consider(*watch)) Drop(*watch);
}

// Some records are missing: whatever would be concluded from the others may be wrong.
void LinuxOwnerFinder::Distrust() {
  blind_ = true;
  processes_.Clear();
  traced_.Clear();
  acceptors_.Distrust(now_);
}

void LinuxOwnerFinder::TakeScan() {
  HostScan::Results results = scan_.Take();
  if (results.listening) acceptors_.Replace(*std::move(results.listening), now_);
  for (const HostScan::Holders& holders : results.holders) {
    const auto waiting = scanned_for_.find(holders.inode);
    if (waiting == scanned_for_.end()) continue;
    Watch* watch = watched_.Find(waiting->second);
    scanned_for_.erase(waiting);
    if (watch == nullptr || watch->attribution != Attribution::kUnknown) continue;
    if (const std::optional<uint32_t> pid = search_.FirstOf(holders.pids)) TellHolder(*watch, *pid, holders.inode);
  }
}

Time LinuxOwnerFinder::NextDeadline() const {
  const Time own = deadlines_.empty() ? Time::max() : deadlines_.top().at;
  return std::min(own, acceptors_.NextDeadline());
}

// What the tracepoint told stays in its rings; otherwise a socket is searched for while it lives.
Duration LinuxOwnerFinder::patience() const {
  return rings_ ? Duration(std::chrono::milliseconds(10)) : std::chrono::microseconds(250);
}

std::vector<int> LinuxOwnerFinder::descriptors() const {
  std::vector<int> all = {scan_.descriptor()};
  if (rings_) all.push_back(rings_->descriptor());
  return all;
}

bool LinuxOwnerFinder::HasSocket(const Endpoint& local, const Endpoint& remote) {
  if (!tables_) return true;
  const std::optional<SocketFacts> socket = tables_->Find(local, remote);
  return socket && socket->state != TcpState::kTimeWait && socket->state != TcpState::kClose;
}

std::vector<OpenSession> LinuxOwnerFinder::OpenSessions() {
  if (!tables_) return {};
  auto sessions = FindOpenSessions(*tables_, SocketHolders(), reader_);
  if (sessions.ok()) return *std::move(sessions);
  ++lists_refused_;
  return {};
}

std::vector<LossCounter> LinuxOwnerFinder::losses() {
  return {{"owner_events_lost", events_lost_}, {"owner_scans_refused", scans_refused_},
          {"socket_list_refused", lists_refused_},
          {"owner_table_full", watched_.forgotten()}};
}

std::unique_ptr<OwnerFinder> OpenOwnerFinder(const OwnerFinderOptions& options) {
  return std::make_unique<LinuxOwnerFinder>(options);
}

}  // namespace sockflow::pcap
