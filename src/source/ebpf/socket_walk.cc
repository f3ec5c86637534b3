// SPDX-License-Identifier: MIT
#include "source/ebpf/socket_walk.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "fmt/format.h"

namespace sockflow {
namespace {

// The kernel never hands over more than eight pages at once (bpf_seq_read()).
constexpr size_t kReadOctets = 32 << 10;

absl::Status KernelSaid(const char* what, int error) {
  return absl::FailedPreconditionError(fmt::format("{}: the kernel said: {}", what, strerror(error)));
}

}  // namespace

absl::StatusOr<SocketWalk> SocketWalk::Attach(bpf_program* program, bpf_map* map) {
  bpf_iter_link_info info = {};
  LIBBPF_OPTS(bpf_iter_attach_opts, options);
  if (map != nullptr) {
    info.map.map_fd = bpf_map__fd(map);
    options.link_info = &info;
    options.link_info_len = sizeof(info);
  }
  bpf_link* link = bpf_program__attach_iter(program, map == nullptr ? nullptr : &options);
  if (link == nullptr) {
    const int error = errno;
    return KernelSaid(bpf_program__section_name(program), error);
  }
  return SocketWalk(link);
}

SocketWalk::SocketWalk(SocketWalk&& other) noexcept : link_(std::exchange(other.link_, nullptr)) {}

SocketWalk::~SocketWalk() {
  if (link_ != nullptr) bpf_link__destroy(link_);
}

absl::Status SocketWalk::Run(absl::FunctionRef<void(const tcp_event&)> on_event) {
  const int fd = bpf_iter_create(bpf_link__fd(link_));
  if (fd < 0) return KernelSaid("bpf_iter_create", errno);
  const absl::Cleanup close_it = [fd] { close(fd); };
  // An event may be cut by the end of the buffer: the rest comes with the next read.
  std::array<std::byte, kReadOctets> buffer;
  size_t filled = 0;
  while (true) {
    const ssize_t length = read(fd, buffer.data() + filled, buffer.size() - filled);
    // EAGAIN: the kernel gave other tasks a chance.
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (length < 0) return KernelSaid("reading an iterator", errno);
    if (length == 0) return absl::OkStatus();
    filled += length;
    size_t taken = 0;
    for (; filled - taken >= sizeof(tcp_event); taken += sizeof(tcp_event)) {
      tcp_event event;
      memcpy(&event, buffer.data() + taken, sizeof(event));
      on_event(event);
    }
    memmove(buffer.data(), buffer.data() + taken, filled - taken);
    filled -= taken;
  }
}

}  // namespace sockflow
