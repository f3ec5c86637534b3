// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <variant>

#include "sockflow/session_event.h"

namespace sockflow::pcap {

struct SocketStateLayout;

// A TCP socket changes its state.
struct StateChange {
  uint32_t pid = 0;  // of the task that ran meanwhile: only sometimes the one that acts on the socket
  uint32_t thread_id = 0;
  uint64_t socket = 0;  // the kernel's address of it: used again as soon as the socket is gone
  TcpState from = TcpState::kUnknown;
  TcpState to = TcpState::kUnknown;
  Endpoint local;  // connect(): its port is still 0, or that of an earlier use of the socket
  Endpoint remote;
};

// A process, or a thread of one (pid == parent_pid), begins.
struct TaskStart {
  uint32_t pid = 0;
  uint32_t thread_id = 0;
  uint32_t parent_pid = 0;
  uint32_t parent_thread_id = 0;
};

// A thread ends; the last or first of a process if thread_id == pid.
struct TaskEnd {
  uint32_t pid = 0;
  uint32_t thread_id = 0;
};

struct TaskRename {
  uint32_t pid = 0;
  uint32_t thread_id = 0;
  bool exec = false;
  TaskName name;
};

// Records were lost because the ring was full; they lie between the one before and the one after.
struct RecordsLost {
  uint64_t count = 0;
};

// One thing that the kernel told through a perf ring.
struct KernelRecord {
  Time at{};
  std::variant<StateChange, TaskStart, TaskEnd, TaskRename, RecordsLost> what;
};

// Reads one record of a perf ring (perf_event_open(2)) whose event has sample_type TID | TIME | RAW and
// sample_id_all; `at` is the time of its clock. False: of a kind that says nothing to us, or too short.
bool ReadKernelRecord(const SocketStateLayout& layout, std::span<const uint8_t> octets, KernelRecord& record);

}  // namespace sockflow::pcap
