// SPDX-License-Identifier: MIT
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tcp_event.h"

struct bpf_link;
struct bpf_map;
struct bpf_program;

namespace sockflow {

// A BPF iterator (bpf/hooks/iter_*.h): the kernel runs its program for each of many sockets, now, and hands
// over the events that it writes.
class SocketWalk {
 public:
  // `map`: whose elements are walked; null: the iterator walks something of the kernel's. The error says
  // what the kernel said.
  static absl::StatusOr<SocketWalk> Attach(bpf_program* program, bpf_map* map);

  ~SocketWalk();
  SocketWalk(SocketWalk&& other) noexcept;
  SocketWalk& operator=(SocketWalk&&) = delete;

  absl::Status Run(absl::FunctionRef<void(const tcp_event&)> on_event);

 private:
  explicit SocketWalk(bpf_link* link) : link_(link) {}

  bpf_link* link_;
};

}  // namespace sockflow
