// SPDX-License-Identifier: MIT
#include "tests/kernel/packet_drop.h"

#include <linux/filter.h>
#include <sys/socket.h>

#include <cstdint>
#include <iterator>

#include "tests/kernel/actors.h"

namespace sockflow::testing {

void DropAll(int fd) { DropSome(fd, 100); }

void DropSome(int fd, int percent) {
  const uint32_t dropped_below = percent >= 100 ? UINT32_MAX : UINT32_MAX / 100 * percent;
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_RANDOM)),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, dropped_below, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  const sock_fprog filter = {.len = std::size(program), .filter = program};
  Require(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0, "SO_ATTACH_FILTER");
}

void DropNothing(int fd) {
  const int ignored = 0;
  Require(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &ignored, sizeof(ignored)) == 0, "SO_DETACH_FILTER");
}

}  // namespace sockflow::testing
