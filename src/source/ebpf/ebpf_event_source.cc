// SPDX-License-Identifier: MIT
#include "source/ebpf/ebpf_event_source.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "fmt/format.h"
#include "sockflow.skel.h"
#include "sockflow/command_line.h"
#include "source/ebpf/from_tcp_event.h"
#include "source/ebpf/kernel_rules.h"
#include "source/ebpf/kernel_support.h"
#include "source/ebpf/tier_programs.h"
#include "spdlog/spdlog.h"

// Where the program's code begins and ends (ld(1), end(3)).
extern "C" const char __executable_start, etext;

namespace sockflow {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// The clock of bpf_ktime_get_ns().
Duration MonotonicNow() { return Clock::now().time_since_epoch(); }

// After events came, more are likely: the consumer comes back by itself after this time, and the
// kernel gives no wakeups meanwhile. Under load this makes one round for the events of 10 ms.
constexpr Duration kNap = milliseconds(10);
// Bounds a sleep: an event whose producer read the consumer's state just before it changed waits no
// longer than this for its wakeup.
constexpr Duration kLongestSleep = std::chrono::seconds(1);
// A napping consumer is woken when the ring buffer is this full.
constexpr size_t kWakeupDivisor = 8;
// Processes are described only while the ring buffer is less full than this: sessions go first.
constexpr size_t kDescriptionDivisor = 2;

// How late an update may come, in parts of the active timeout.
constexpr int kWalksInTimeout = 30;
constexpr Duration kShortestWalkInterval = milliseconds(20);
// Within a round what is in the ring buffer has been read, however long it takes.
constexpr Duration kShortestRound = std::chrono::seconds(1);

constexpr char kKernelBtf[] = "/sys/kernel/btf/vmlinux";

// libbpf explains itself at length; that is for --log-level debug. The sentence that a user sees comes
// from ExplainRefusal.
int LogLibbpf(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG && !spdlog::should_log(spdlog::level::trace)) return 0;
  if (!spdlog::should_log(spdlog::level::debug)) return 0;
  char line[4096];
  const int length = vsnprintf(line, sizeof(line), format, arguments);
  std::string_view text(line, std::min<size_t>(std::max(length, 0), sizeof(line) - 1));
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  spdlog::debug("{}", text);
  return length;
}

void DropPages(const void* from, const void* to) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t first = (reinterpret_cast<uintptr_t>(from) + page - 1) / page * page,
                  end = reinterpret_cast<uintptr_t>(to) / page * page;
  if (first < end) madvise(reinterpret_cast<void*>(first), end - first, MADV_DONTNEED);
}

// Of the program's file only what is used from now on stays in memory: the object would be read from it again,
// as is the code, of which much serves the start alone.
void DropStartPages() {
  size_t size = 0;
  const void* object = sockflow_bpf__elf_bytes(&size);
  DropPages(object, static_cast<const char*>(object) + size);
  DropPages(&__executable_start, &etext);
}

// Here the kernel's programs know this process by the same id as itself.
bool InInitialPidNamespace() {
  constexpr ino_t kInitial = 0xEFFFFFFC;  // PROC_PID_INIT_INO, include/linux/proc_ns.h
  struct stat status;
  return stat("/proc/self/ns/pid", &status) == 0 && status.st_ino == kInitial;
}

constexpr const char* kLossReasons[TCP_LOSS_REASONS] = {
    "ring_buffer_full_start", "ring_buffer_full_close", "table_full", "storage_unavailable",
    "unseen_start",           "ring_buffer_full_process",
};

}  // namespace

absl::StatusOr<std::unique_ptr<EbpfEventSource>> EbpfEventSource::Open(Tier tier,
                                                                       const Options& options) {
  libbpf_set_print(LogLibbpf);
  if (absl::Status possible = CheckEbpfPossible(); !possible.ok()) return possible;
  if (absl::Status possible = CheckTierPossible(tier); !possible.ok()) return possible;

  std::unique_ptr<EbpfEventSource> source(new EbpfEventSource(tier));
  if (absl::Status loaded = source->Load(options); !loaded.ok()) return loaded;
  if (options.leave_out_own && InInitialPidNamespace()) source->bpf_->bss->agent_tgid = getpid();
  source->SetFilter(options.rules);
  if (absl::Status ring = source->OpenRing(); !ring.ok()) return ring;
  if (absl::Status attached = source->Attach(); !attached.ok()) return attached;
  // Loading held the kernel's whole type information, and read all of our object; give the memory back.
  malloc_trim(0);
  DropStartPages();
  return source;
}

absl::Status EbpfEventSource::Load(const Options& options) {
  btf* kernel_btf = btf__parse(kKernelBtf, nullptr);
  if (kernel_btf == nullptr) {
    return absl::FailedPreconditionError(
        fmt::format("cannot read the kernel's types from {}: {}", kKernelBtf, strerror(errno)));
  }
  absl::StatusOr<TierPrograms> tier = ProgramsOf(tier_, kernel_btf);
  btf__free(kernel_btf);
  if (!tier.ok()) return tier.status();
  programs_ = tier->required;
  optional_programs_ = tier->optional;

  // Helpers that older kernels lack (bpf/kernel_compat.h) cannot be asked for beforehand in tracing
  // programs: what loads decides, richest first.
  int error = 0, walks_refused = 0;
  for (const bool iterators : {true, false}) {
    if (!iterators) walks_refused = error;
    for (const auto& [storage, cookie] : {std::pair(true, true), {true, false}, {false, false}}) {
      if (!tier->typed && storage) continue;
      if (TryLoad(*tier, {.storage = storage, .cookie = cookie, .iterators = iterators}, options)) {
        uses_socket_storage_ = storage;
        if (iterators) {
          AttachWalks(options);
        } else {
          spdlog::warn("sessions that are open already are not found, nor are there updates: the kernel refuses "
                       "iterators ({})", ExplainRefusal(tier_, walks_refused));
        }
        return absl::OkStatus();
      }
      error = errno;
      // Not a matter of helpers.
      if (error == EPERM || error == ENOMEM) break;
    }
  }
  return absl::FailedPreconditionError(
      fmt::format("cannot load the programs: {}", ExplainRefusal(tier_, error)));
}

// False: errno says why.
bool EbpfEventSource::TryLoad(const TierPrograms& tier, const Helpers& helpers, const Options& options) {
  // Without a path of its own, libbpf 1.1 also walks the modules' type information when a type is
  // missing from the kernel's, which needs CAP_SYS_ADMIN.
  LIBBPF_OPTS(bpf_object_open_opts, open_options, .btf_custom_path = kKernelBtf);
  bpf_ = sockflow_bpf__open_opts(&open_options);
  if (bpf_ == nullptr) return false;
  std::vector<std::string> wanted = tier.required;
  wanted.insert(wanted.end(), tier.optional.begin(), tier.optional.end());
  if (helpers.iterators) {
    wanted.insert(wanted.end(), TierPrograms::kFindExisting.begin(), TierPrograms::kFindExisting.end());
    wanted.push_back(helpers.storage ? TierPrograms::kWalkStorage : TierPrograms::kWalkHash);
  }
  bpf_program* program;
  bpf_object__for_each_program(program, bpf_->obj) {
    const bool is_wanted =
        std::find(wanted.begin(), wanted.end(), bpf_program__name(program)) != wanted.end();
    bpf_program__set_autoload(program, is_wanted);
  }
  bpf_->rodata->has_sk_storage = helpers.storage;
  bpf_->rodata->has_socket_cookie = helpers.cookie;
  bpf_->rodata->has_accept_hook = tier.has_accept_hook;
  bpf_->rodata->tells_existing = options.existing;
  bpf_->rodata->leaves_out_own = options.leave_out_own;
  bpf_->rodata->active_timeout_ns = options.active_timeout.count();
  bpf_->rodata->wakeup_octets = options.ring_buffer_octets / kWakeupDivisor;
  bpf_->rodata->command_line_limit = std::min(options.command_line_octets, kLongestCommandLine);
  bpf_->rodata->description_pending_limit = options.ring_buffer_octets / kDescriptionDivisor;
  bpf_map__set_max_entries(bpf_->maps.events, options.ring_buffer_octets);
  if (!helpers.storage) {
    bpf_map__set_max_entries(bpf_->maps.hashed_sessions, options.max_hashed_sessions);
    bpf_map__set_max_entries(bpf_->maps.hashed_listeners, options.max_hashed_sessions / 16);
  }
  if (sockflow_bpf__load(bpf_) == 0) return true;
  const int error = errno;
  sockflow_bpf__destroy(bpf_);
  bpf_ = nullptr;
  errno = error;
  return false;
}

void EbpfEventSource::AttachWalks(const Options& options) {
  const auto attach = [this](const char* name, bpf_map* map) {
    absl::StatusOr<SocketWalk> walk =
        SocketWalk::Attach(bpf_object__find_program_by_name(bpf_->obj, name), map);
    if (!walk.ok()) spdlog::warn("{} is not used: {}", name, std::string(walk.status().message()));
    return walk;
  };
  for (const char* name : TierPrograms::kFindExisting) {
    if (auto walk = attach(name, nullptr); walk.ok()) find_existing_.push_back(*std::move(walk));
  }
  if (options.active_timeout <= Duration::zero()) return;
  auto walk = uses_socket_storage_ ? attach(TierPrograms::kWalkStorage, bpf_->maps.socket_sessions)
                                   : attach(TierPrograms::kWalkHash, bpf_->maps.hashed_sessions);
  if (!walk.ok()) return;
  walk_sessions_.emplace(*std::move(walk));
  active_timeout_ = options.active_timeout;
  round_end_ = Clock::now();
  next_walk_ = round_end_ + active_timeout_;
}

void EbpfEventSource::Deliver(const tcp_event& event,
                              absl::FunctionRef<void(const SessionEvent&)> deliver) {
  ++events_;
  SessionEvent result = FromTcpEvent(event, clock_);
  if (result.process) result.process->detail = processes_.Find(event.owner);
  deliver(result);
}

void EbpfEventSource::FindExisting(absl::FunctionRef<void(const SessionEvent&)> deliver) {
  for (SocketWalk& walk : find_existing_) {
    const absl::Status done = walk.Run([&](const tcp_event& event) { Deliver(event, deliver); });
    if (!done.ok()) spdlog::warn("older sessions are told as they end: {}", std::string(done.message()));
  }
  find_existing_.clear();
  spdlog::info("older sessions: {} found", events_);
}

void EbpfEventSource::TellUpdates(absl::FunctionRef<void(const SessionEvent&)> deliver) {
  bpf_->bss->next_update_ns = ~uint64_t{0};
  const auto begin = Clock::now();
  const absl::Status done =
      walk_sessions_->Run([&](const tcp_event& event) { Deliver(event, deliver); });
  if (!done.ok()) {
    ++walks_failed_;
  } else if (begin - round_end_ >= std::max(active_timeout_, kShortestRound)) {
    // What was told last before the round began would have been due.
    ++rounds_;
    round_end_ = Clock::now();
  }
  // A session that begins from now on is due after a whole timeout. Sessions that are due soon one after
  // the other share a walk.
  const Duration shortest = std::max(active_timeout_ / kWalksInTimeout, kShortestWalkInterval);
  Duration next = active_timeout_;
  if (const uint64_t due = bpf_->bss->next_update_ns; due != ~uint64_t{0}) {
    next = std::clamp(Duration(static_cast<int64_t>(due)) - MonotonicNow(), shortest, next);
  }
  next_walk_ = Clock::now() + next;
}

absl::Status EbpfEventSource::Attach() {
  const auto attach = [this](const std::string& name) -> int {
    bpf_program* program = bpf_object__find_program_by_name(bpf_->obj, name.c_str());
    bpf_link* link = program == nullptr ? nullptr : bpf_program__attach(program);
    if (link == nullptr) return errno == 0 ? EINVAL : errno;
    links_.push_back(link);
    const std::string hook = bpf_program__section_name(program);
    if (hooks_.find(hook) == std::string::npos) hooks_ += (hooks_.empty() ? "" : ", ") + hook;
    return 0;
  };
  for (const std::string& name : programs_) {
    if (const int error = attach(name); error != 0) {
      return absl::FailedPreconditionError(
          fmt::format("cannot attach {}: {}", name, ExplainRefusal(tier_, error)));
    }
  }
  for (const std::string& name : optional_programs_) {
    if (const int error = attach(name); error != 0) {
      spdlog::debug("optional hook {} is not there: {}", name, strerror(error));
    }
  }
  return absl::OkStatus();
}

absl::Status EbpfEventSource::OpenRing() {
  const int ring_fd = bpf_map__fd(bpf_->maps.events);
  ring_ = ring_buffer__new(ring_fd, &EbpfEventSource::OnRingRecord, this, nullptr);
  wake_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  if (ring_ == nullptr || wake_fd_ < 0 || epoll_fd_ < 0) {
    return absl::InternalError(fmt::format("cannot open the ring buffer: {}", strerror(errno)));
  }
  if (!ring_fill_.Open(ring_fd, bpf_map__max_entries(bpf_->maps.events))) {
    spdlog::debug("how full the ring buffer is cannot be told: {}", strerror(errno));
  }
  // Edge-triggered: a nap must end by a wakeup, not because something is pending already.
  epoll_event ring_event = {.events = EPOLLIN | EPOLLET, .data = {.fd = ring_fd}};
  epoll_event wake_event = {.events = EPOLLIN, .data = {.fd = wake_fd_}};
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, ring_fd, &ring_event) != 0 ||
      epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wake_fd_, &wake_event) != 0) {
    return absl::InternalError(fmt::format("cannot watch the ring buffer: {}", strerror(errno)));
  }
  return absl::OkStatus();
}

EbpfEventSource::~EbpfEventSource() {
  find_existing_.clear();
  walk_sessions_.reset();
  for (bpf_link* link : links_) bpf_link__destroy(link);
  if (ring_ != nullptr) ring_buffer__free(ring_);
  if (bpf_ != nullptr) sockflow_bpf__destroy(bpf_);
  if (epoll_fd_ >= 0) close(epoll_fd_);
  if (wake_fd_ >= 0) close(wake_fd_);
}

void EbpfEventSource::WaitForEvents(Duration wait) {
  const Duration longest = quiet_ ? kLongestSleep : kNap;
  const Duration bounded = std::clamp(wait, Duration::zero(), longest);
  // Rounded up: a deadline 0.4 ms away must not make a busy loop of zero waits.
  const int timeout = std::chrono::ceil<milliseconds>(bounded).count();
  epoll_event events[2];
  const int count = epoll_wait(epoll_fd_, events, 2, timeout);
  for (int i = 0; i < count; ++i) {
    if (events[i].data.fd != wake_fd_) continue;
    uint64_t ignored;
    (void)!read(wake_fd_, &ignored, sizeof(ignored));
  }
}

absl::Status EbpfEventSource::Poll(Duration wait,
                                   absl::FunctionRef<void(const SessionEvent&)> deliver) {
  clock_.Follow();
  if (!find_existing_.empty()) FindExisting(deliver);
  if (Clock::now() >= next_walk_) TellUpdates(deliver);
  wait = std::clamp(Duration(next_walk_ - Clock::now()), Duration::zero(), wait);
  std::atomic_ref<uint32_t> state(const_cast<uint32_t&>(bpf_->bss->consumer_state));
  state.store(quiet_ ? CONSUMER_SLEEPING : CONSUMER_NAPPING, std::memory_order_seq_cst);
  int delivered = 0;
  if (quiet_) {
    // What came before the state was set came without a wakeup.
    absl::StatusOr<int> early = Drain(deliver);
    if (!early.ok()) return early.status();
    delivered = *early;
  }
  if (delivered == 0) {
    WaitForEvents(wait);
    state.store(CONSUMER_BUSY, std::memory_order_relaxed);
    absl::StatusOr<int> late = Drain(deliver);
    if (!late.ok()) return late.status();
    delivered = *late;
  }
  quiet_ = delivered == 0;
  return absl::OkStatus();
}

absl::StatusOr<int> EbpfEventSource::Drain(absl::FunctionRef<void(const SessionEvent&)> deliver) {
  ring_fill_.Note(Clock::now());
  deliver_ = &deliver;
  const absl::Cleanup forget = [this] { deliver_ = nullptr; };
  const int count = ring_buffer__consume(ring_);
  if (count < 0) {
    return absl::InternalError(
        fmt::format("cannot read the ring buffer: {}", strerror(-count)));
  }
  return count;
}

int EbpfEventSource::OnRingRecord(void* context, void* data, size_t size) {
  auto* self = static_cast<EbpfEventSource*>(context);
  // The kernel half is of the same build; but were it not, its events would be read as rubbish.
  if (size != sizeof(tcp_event)) {
    if (!self->processes_.Add(data, size)) ++self->malformed_;
    return 0;
  }
  self->Deliver(*static_cast<const tcp_event*>(data), *self->deliver_);
  return 0;
}

void EbpfEventSource::Wake() {
  const uint64_t one = 1;
  (void)!write(wake_fd_, &one, sizeof(one));
}

namespace {

tcp_counters ReadCounters(const bpf_map* map) {
  tcp_counters sum = {};
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0) return sum;
  std::vector<tcp_counters> per_cpu(cpus);
  const uint32_t key = 0;
  if (bpf_map__lookup_elem(map, &key, sizeof(key), per_cpu.data(),
                           per_cpu.size() * sizeof(tcp_counters), 0) != 0) {
    return sum;
  }
  for (const tcp_counters& one : per_cpu) {
    sum.events += one.events;
    sum.wakeups += one.wakeups;
    sum.rescued += one.rescued;
    sum.filtered += one.filtered;
    sum.own += one.own;
    for (int reason = 0; reason < TCP_LOSS_REASONS; ++reason) sum.lost[reason] += one.lost[reason];
  }
  return sum;
}

}  // namespace

SourceStats EbpfEventSource::stats() {
  const tcp_counters counters = ReadCounters(bpf_->maps.counters);
  SourceStats result{.events = events_,
                     .rescued = counters.rescued,
                     .filtered = counters.filtered,
                     .own = counters.own,
                     .lost = {},
                     .buffer = ring_fill_.fill()};
  for (int reason = 0; reason < TCP_LOSS_REASONS; ++reason) {
    result.lost.push_back({kLossReasons[reason], counters.lost[reason]});
  }
  result.lost.push_back({"malformed_event", malformed_});
  result.lost.push_back({"update_walk_failed", walks_failed_});
  return result;
}

void EbpfEventSource::SetFilter(const FilterRules& rules) {
  const filter_rules wanted = KernelRulesOf(rules);
  std::atomic_ref<uint32_t> in_use(const_cast<uint32_t&>(bpf_->bss->filter_in_use));
  const uint32_t free = in_use.load() == 1 ? 2 : 1;
  const uint32_t key = free - 1;
  // Without rules all is told, and left out by the agent.
  if (wanted.count == 0) return in_use.store(0);
  if (bpf_map__update_elem(bpf_->maps.filters, &key, sizeof(key), &wanted, sizeof(wanted), BPF_ANY) != 0) {
    spdlog::warn("the filter's rules do not act in the kernel, which said: {}", strerror(errno));
    return in_use.store(0);
  }
  in_use.store(free);
}

std::optional<uint32_t> EbpfEventSource::own_pid() const { return bpf_->bss->agent_tgid; }

uint64_t EbpfEventSource::wakeups() { return ReadCounters(bpf_->maps.counters).wakeups; }

std::string EbpfEventSource::description() const {
  return fmt::format("{} ({}; owners in {})", ToString(tier_), hooks_,
                     uses_socket_storage_ ? "socket storage" : "a hash");
}

}  // namespace sockflow
