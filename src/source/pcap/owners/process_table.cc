// SPDX-License-Identifier: MIT
#include "source/pcap/owners/process_table.h"

#include <utility>

namespace sockflow::pcap {
namespace {

// What no record tells of (user ids, a parent that died) is asked for again after this time.
constexpr Duration kFresh = std::chrono::seconds(1);
// How long those that ended are kept: longer than anybody asks for them.
constexpr Duration kKeepEnded = std::chrono::seconds(5);
constexpr int kDeepest = 64;  // generations

}  // namespace

ProcessTable::ProcessTable(ReadProcess read_process, ReadThreadName read_thread_name, size_t capacity)
    : read_process_(std::move(read_process)),
      read_thread_name_(std::move(read_thread_name)),
      capacity_(capacity) {}

void ProcessTable::Start(const TaskStart& start, Time at) {
  if (start.pid == start.parent_pid) return;  // a thread: named when it is asked for
  DropEnded(at);
  // The child has the name of the thread that forked, and its parent's network until it leaves it.
  const Entry* parent = Know(start.parent_pid, at);
  Entry child;
  child.begun = at;
  child.facts.process.pid = start.pid;
  child.facts.process.thread_id = start.pid;
  child.facts.process.parent_pid = start.parent_pid;
  child.facts.process.uid = kNoUid;
  if (parent != nullptr) {
    child.facts.process.name = start.parent_thread_id == start.parent_pid
                                   ? parent->facts.process.name
                                   : NameOfThread(*parent, start.parent_thread_id);
    child.named = true;
    // It may leave its parent's network before anybody asks.
    child.facts.network =
        parent->facts.network == Network::kOther ? Network::kOther : Network::kUnproven;
  }
  if (processes_.size() >= capacity_) Clear();
  processes_.insert_or_assign(start.pid, child);
}

void ProcessTable::End(const TaskEnd& end, Time at) {
  if (end.thread_id != end.pid) {
    threads_.erase(end.thread_id);
    return;
  }
  const auto found = processes_.find(end.pid);
  if (found == processes_.end() || found->second.ended) return;
  found->second.ended = true;
  ended_.push_back({end.pid, found->second.begun, at});
}

void ProcessTable::Rename(const TaskRename& rename) {
  // After an exec the one thread that is left is the leader, whichever it was.
  const bool leader = rename.thread_id == rename.pid;
  const auto found = processes_.find(rename.pid);
  if (found != processes_.end() && leader) {
    found->second.facts.process.name = rename.name;
    found->second.named = true;
    if (rename.exec) found->second.read = {};  // a set-user-ID program changes more than the name
  }
  if (const auto thread = threads_.find(rename.thread_id); thread != threads_.end()) {
    thread->second = rename.name;
  }
}

std::optional<ProcessFacts> ProcessTable::Describe(uint32_t pid, uint32_t thread_id, Time now) {
  Entry* entry = Know(pid, now);
  if (entry == nullptr) return std::nullopt;
  if (now - entry->read > kFresh && !entry->ended) ReadInto(*entry, pid, now);
  ProcessFacts facts = entry->facts;
  facts.process.thread_id = thread_id;
  facts.process.thread_name = facts.process.name;
  if (thread_id != pid) {
    auto thread = threads_.find(thread_id);
    if (thread == threads_.end()) {
      if (threads_.size() >= capacity_) threads_.clear();
      if (const std::optional<TaskName> name = read_thread_name_(pid, thread_id)) {
        thread = threads_.emplace(thread_id, *name).first;
      }
    }
    if (thread != threads_.end()) facts.process.thread_name = thread->second;
  }
  if (const Entry* parent = Know(facts.process.parent_pid, now)) {  // moves the entries
    facts.process.parent_name = parent->facts.process.name;
  }
  return facts;
}

std::optional<Time> ProcessTable::Begun(uint32_t pid) const {
  const auto found = processes_.find(pid);
  if (found == processes_.end() || found->second.begun == Time{}) return std::nullopt;
  return found->second.begun;
}

bool ProcessTable::DescendsFrom(uint32_t pid, uint32_t ancestor) const {
  for (int i = 0; i < kDeepest; ++i) {
    const auto found = processes_.find(pid);
    if (found == processes_.end()) return false;
    pid = found->second.facts.process.parent_pid;
    if (pid == ancestor) return true;
  }
  return false;
}

bool ProcessTable::HasEnded(uint32_t pid) const {
  const auto found = processes_.find(pid);
  return found != processes_.end() && found->second.ended;
}

void ProcessTable::Confirm(const Process& now) {
  const auto found = processes_.find(now.pid);
  if (found == processes_.end()) return;
  const Process& known = found->second.facts.process;
  if (known.start_time != now.start_time || known.name != now.name || known.parent_pid != now.parent_pid) {
    processes_.erase(found);
  }
}

void ProcessTable::Clear() {
  processes_.clear();
  threads_.clear();
  ended_.clear();
}

ProcessTable::Entry* ProcessTable::Know(uint32_t pid, Time now) {
  if (pid == 0) return nullptr;
  if (const auto found = processes_.find(pid); found != processes_.end()) return &found->second;
  if (processes_.size() >= capacity_) Clear();
  Entry entry;
  if (!ReadInto(entry, pid, now)) return nullptr;
  return &processes_.insert_or_assign(pid, entry).first->second;
}

bool ProcessTable::ReadInto(Entry& entry, uint32_t pid, Time now) {
  std::optional<ProcessFacts> facts = read_process_(pid);
  // What is told may be long ago: one that began later has the number of the one that was meant.
  if (!facts || facts->started > now) return false;
  const uint64_t known_start = entry.facts.process.start_time;
  const bool same = known_start == 0 || known_start == facts->process.start_time;
  if (same && entry.named) facts->process.name = entry.facts.process.name;
  // One that is about to end shows its name, but its network no more.
  if (same && facts->network == Network::kUnproven) facts->network = entry.facts.network;
  if (!same) entry = {};  // the pid was used again, and nobody told
  entry.facts = *facts;
  entry.named = true;
  entry.read = now;
  return true;
}

TaskName ProcessTable::NameOfThread(const Entry& entry, uint32_t thread_id) const {
  const auto thread = threads_.find(thread_id);
  if (thread != threads_.end()) return thread->second;
  return read_thread_name_(entry.facts.process.pid, thread_id).value_or(entry.facts.process.name);
}

void ProcessTable::DropEnded(Time now) {
  while (!ended_.empty() && now - ended_.front().at > kKeepEnded) {
    const auto found = processes_.find(ended_.front().pid);
    if (found != processes_.end() && found->second.ended && found->second.begun == ended_.front().begun) {
      processes_.erase(found);
    }
    ended_.pop_front();
  }
}

}  // namespace sockflow::pcap
