// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "source/pcap/owners/kernel_records.h"

namespace sockflow::pcap {

// Of a process, beside that of this one.
enum class Network : uint8_t {
  kOurs,
  kOther,
  kUnproven,  // what its parent had, at best: it could not be asked, or not any more
};

// What the host says of a process now. Its `thread_id` and `thread_name` are the leader's, its
// `parent_name` is empty.
struct ProcessFacts {
  Process process;
  Time started{};           // rounded down, to 10 ms on Linux
  Network network = Network::kUnproven;
};

// Who runs: asked from the host when somebody is first needed, and kept right by what the kernel tells
// of beginnings, ends and names, so that also a process that is gone at once has a name. Knows no host.
class ProcessTable {
 public:
  // Asks the host; nullopt: no such process (any more).
  using ReadProcess = std::function<std::optional<ProcessFacts>(uint32_t pid)>;
  using ReadThreadName = std::function<std::optional<TaskName>(uint32_t pid, uint32_t thread_id)>;


  ProcessTable(ReadProcess read_process, ReadThreadName read_thread_name, size_t capacity = 65'536);

  void Start(const TaskStart& start, Time at);
  void End(const TaskEnd& end, Time at);
  void Rename(const TaskRename& rename);

  // This thread and its process as they are now; nullopt if nothing at all can be told of them.
  std::optional<ProcessFacts> Describe(uint32_t pid, uint32_t thread_id, Time now);

  // When the process began, if its beginning was seen.
  std::optional<Time> Begun(uint32_t pid) const;
  // Whether one of the parents, so far as they are known, is `ancestor`.
  bool DescendsFrom(uint32_t pid, uint32_t ancestor) const;
  // A process that runs, so far as it is known.
  bool HasEnded(uint32_t pid) const;

  // For whom nothing is told: the name, parent and start time that the process has now. What was known
  // of another one is forgotten.
  void Confirm(const Process& now);
  // Something was missed: nothing that was known is certain any more.
  void Clear();
  size_t size() const { return processes_.size(); }

 private:
  struct Entry {
    ProcessFacts facts;
    Time begun{};   // {}: not seen
    Time read{};    // {}: only what the kernel told is known
    bool named = false;  // and from then on by the kernel's records, in their order, not by the host
    bool ended = false;
  };
  struct Ended {
    uint32_t pid;
    Time begun, at;
  };

  Entry* Know(uint32_t pid, Time now);
  bool ReadInto(Entry& entry, uint32_t pid, Time now);
  TaskName NameOfThread(const Entry& entry, uint32_t thread_id) const;
  void DropEnded(Time now);

  ReadProcess read_process_;
  ReadThreadName read_thread_name_;
  size_t capacity_;
  absl::flat_hash_map<uint32_t, Entry> processes_;
  absl::flat_hash_map<uint32_t, TaskName> threads_;  // of those that are no leaders, where asked for
  std::deque<Ended> ended_;
};

}  // namespace sockflow::pcap
