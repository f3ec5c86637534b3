// SPDX-License-Identifier: MIT
#include "source/ebpf/tier_programs.h"

#include <bpf/btf.h>

#include "fmt/format.h"

namespace sockflow {
namespace {

// The number of parameters of a kernel function, or -1 if the kernel has none of that name.
int ParameterCount(const btf* kernel_btf, const char* function) {
  const int id = btf__find_by_name_kind(kernel_btf, function, BTF_KIND_FUNC);
  if (id < 0) return -1;
  const btf_type* prototype = btf__type_by_id(kernel_btf, btf__type_by_id(kernel_btf, id)->type);
  return prototype == nullptr ? -1 : btf_vlen(prototype);
}

}  // namespace

absl::StatusOr<TierPrograms> ProgramsOf(Tier tier, const btf* kernel_btf) {
  switch (tier) {
    case Tier::kFentry: {
      // bpf/kernel_compat.h: two shapes of inet_csk_accept().
      const int parameters = ParameterCount(kernel_btf, "inet_csk_accept");
      if (parameters != 2 && parameters != 4) {
        return absl::FailedPreconditionError(fmt::format(
            "inet_csk_accept() of this kernel has {} parameters, known are 4 (up to 6.9) and 2 "
            "(since 6.10)",
            parameters));
      }
      const std::string accept = fmt::format("fexit__inet_csk_accept_{}", parameters);
      // The second programs first: a trampoline runs the program that was attached last before the
      // others (bpf_trampoline_link_prog() adds at the head), a tracepoint after them.
      return TierPrograms{.required = {"fentry__tcp_set_state_again", "fentry__tcp_set_state",
                                       "fentry__tcp_connect_again", accept + "_again",
                                       "fentry__tcp_connect", accept, "fentry__inet_csk_listen_start"},
                          .optional = {}};
    }
    case Tier::kKprobe:
      return TierPrograms{.required = {"kprobe__tcp_set_state", "kprobe__tcp_connect",
                                       "kretprobe__inet_csk_accept", "kprobe__inet_csk_listen_start"},
                          .optional = {"kprobe__security_sock_graft",
                                       "tp_btf__inet_sock_set_state_again"},
                          .typed = false};
    case Tier::kTracepoint:
      return TierPrograms{
          .required = {"tp_btf__inet_sock_set_state", "tp_btf__tcp_rcv_space_adjust",
                       "tp_btf__inet_sock_set_state_again", "tp_btf__tcp_destroy_sock"},
          .optional = {},
          .has_accept_hook = false};
    case Tier::kPcap: break;
  }
  return absl::InvalidArgumentError(fmt::format("not an eBPF tier: {}", ToString(tier)));
}

}  // namespace sockflow
