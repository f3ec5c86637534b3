// SPDX-License-Identifier: (MIT OR GPL-2.0-only)
/*
 * The kernel half of sockflow: says when TCP sessions begin and end on this host and whose they are.
 * One object for all kernels and tiers; the agent loads the programs of one tier.
 *
 *   owner.h        who runs
 *   session.h      what is remembered of a socket
 *   filter.h       which sessions are told
 *   emit.h         events
 *   process.h      the program that runs: path, command line, cgroup
 *   transitions.h  what each moment means
 *   hooks/         one file for each kernel function or tracepoint: which moment it is
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#include "filter_rules.h"
#include "process_description.h"
#include "tcp_event.h"

#include "kernel_compat.h"

#include "session.h"

#include "owner.h"

#include "filter.h"

#include "emit.h"

#include "process.h"

#include "transitions.h"

#include "hooks/inet_csk_accept.h"
#include "hooks/inet_csk_listen_start.h"
#include "hooks/inet_sock_set_state.h"
#include "hooks/iter_task_file.h"
#include "hooks/iter_sessions.h"
#include "hooks/iter_tcp.h"
#include "hooks/security_sock_graft.h"
#include "hooks/tcp_connect.h"
#include "hooks/tcp_destroy_sock.h"
#include "hooks/tcp_rcv_space_adjust.h"
#include "hooks/tcp_set_state.h"

/* The kernel compares this string letter by letter (license_is_gpl_compatible()). */
char LICENSE[] SEC("license") = "Dual MIT/GPL";
