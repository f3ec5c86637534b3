// SPDX-License-Identifier: MIT
#include <linux/perf_event.h>

#include <cstring>

#include "source/pcap/owners/kernel_records.h"
#include "source/pcap/owners/tracepoint_format.h"

namespace sockflow::pcap {
namespace {

template <typename T>
bool Read(std::span<const uint8_t>& octets, T& value) {
  if (octets.size() < sizeof(T)) return false;
  std::memcpy(&value, octets.data(), sizeof(T));
  octets = octets.subspan(sizeof(T));
  return true;
}

Time FromNanoseconds(uint64_t ns) { return Time(Duration(static_cast<int64_t>(ns))); }

// What sample_id_all puts at the end of a record that is no sample: u32 pid, tid; u64 time.
bool ReadTrailingTime(std::span<const uint8_t> octets, Time& at) {
  uint64_t time;
  if (octets.size() < 2 * sizeof(time)) return false;
  octets = octets.last(sizeof(time));
  if (!Read(octets, time)) return false;
  at = FromNanoseconds(time);
  return true;
}

bool ReadSample(const SocketStateLayout& layout, std::span<const uint8_t> octets, KernelRecord& record) {
  StateChange change;
  uint64_t time;
  uint32_t size;
  if (!Read(octets, change.pid) || !Read(octets, change.thread_id) || !Read(octets, time) ||
      !Read(octets, size) || size > octets.size() || !ReadSocketState(layout, octets.first(size), change)) {
    return false;
  }
  record.at = FromNanoseconds(time);
  record.what = change;
  return true;
}

// PERF_RECORD_FORK and PERF_RECORD_EXIT look alike.
bool ReadTask(std::span<const uint8_t> octets, KernelRecord& record, TaskStart& task) {
  uint64_t time;
  if (!Read(octets, task.pid) || !Read(octets, task.parent_pid) || !Read(octets, task.thread_id) ||
      !Read(octets, task.parent_thread_id) || !Read(octets, time)) {
    return false;
  }
  record.at = FromNanoseconds(time);
  return true;
}

bool ReadRename(std::span<const uint8_t> octets, KernelRecord& record) {
  TaskRename rename;
  if (!ReadTrailingTime(octets, record.at) || !Read(octets, rename.pid) ||
      !Read(octets, rename.thread_id)) {
    return false;
  }
  rename.name = std::string_view(reinterpret_cast<const char*>(octets.data()), octets.size());
  record.what = rename;
  return true;
}

}  // namespace

bool ReadKernelRecord(const SocketStateLayout& layout, std::span<const uint8_t> octets,
                      KernelRecord& record) {
  perf_event_header header;
  if (!Read(octets, header)) return false;
  switch (header.type) {
    case PERF_RECORD_SAMPLE:
      return ReadSample(layout, octets, record);
    case PERF_RECORD_FORK: {
      TaskStart start;
      if (!ReadTask(octets, record, start)) return false;
      record.what = start;
      return true;
    }
    case PERF_RECORD_EXIT: {
      TaskStart end;
      if (!ReadTask(octets, record, end)) return false;
      record.what = TaskEnd{.pid = end.pid, .thread_id = end.thread_id};
      return true;
    }
    case PERF_RECORD_COMM:
      if (!ReadRename(octets, record)) return false;
      std::get<TaskRename>(record.what).exec = (header.misc & PERF_RECORD_MISC_COMM_EXEC) != 0;
      return true;
    case PERF_RECORD_LOST: {
      uint64_t id;
      RecordsLost lost;
      if (!ReadTrailingTime(octets, record.at) || !Read(octets, id) || !Read(octets, lost.count)) {
        return false;
      }
      record.what = lost;
      return true;
    }
    default:
      return false;
  }
}

}  // namespace sockflow::pcap
