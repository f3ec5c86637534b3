/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Every difference between kernels that the hooks care about, each with the version that brought it.
 *
 * inet_csk_accept()  four parameters up to 6.9, two (struct proto_accept_arg) from 6.10, commit
 *                    92ef0fd55ac8 ("net: change proto and proto_ops accept type"). The return value
 *                    of an fexit program stands behind them, and the verifier takes no variable index
 *                    into the context: there is a program for each, user space loads the right one.
 * inet_csk_listen_start()  two parameters up to 5.16, one from 5.17. Only the
 *                    first is read.
 */
#ifndef SOCKFLOW_BPF_KERNEL_COMPAT_H
#define SOCKFLOW_BPF_KERNEL_COMPAT_H

/*
 * bpf_sk_storage_get() in tracing programs: 5.11, commit 8e4597c627fb. Where it is missing the agent
 * clears this before loading, the verifier drops the call as dead code, and a hash takes over.
 */
const volatile bool has_sk_storage = true;

/* bpf_get_socket_cookie() in tracing programs: 5.12, commit c5dbb89fc2ac. */
const volatile bool has_socket_cookie = true;

/*
 * How a program reaches into kernel structures. Typed programs (fentry, tp_btf) are handed pointers
 * that the verifier knows: plain loads, no helper call. Others (kprobe) must copy. `typed` is a
 * constant wherever this is inlined, so only one of the two remains.
 */
#define READ(typed, pointer, field) ((typed) ? (pointer)->field : BPF_CORE_READ(pointer, field))

/*
 * kernfs_node.parent is __parent from 6.15 on, commit 633488947ef6 ("kernfs: Use RCU to access
 * kernfs_node::parent"). Fields are read by copying, which needs no RCU annotation.
 */
struct kernfs_node___before_6_15 {
	struct kernfs_node *parent;
} __attribute__((preserve_access_index));

static __always_inline struct kernfs_node *kernfs_parent(struct kernfs_node *node)
{
	struct kernfs_node___before_6_15 *old = (void *)node;

	if (bpf_core_field_exists(old->parent))
		return BPF_CORE_READ(old, parent);
	return BPF_CORE_READ(node, __parent);
}

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define SOCK_STREAM 1
#define S_IFMT 00170000
#define S_IFSOCK 0140000
#define PF_EXITING 0x00000004 /* include/linux/sched.h */
#define PF_KTHREAD 0x00200000 /* include/linux/sched.h */

/*
 * No field says who opened a session. But a socket that was begotten by a listener remembers the interface
 * of the handshake where multicast options would be (tcp_v4_syn_recv_sock(), tcp_v6_syn_recv_sock()), and
 * for stream sockets these options cannot be set (IP_MULTICAST_IF, IPV6_MULTICAST_IF). Seen on 5.10 to
 * 6.18.
 */
static __always_inline bool was_begotten(struct sock *sk)
{
	struct inet_sock *inet = (struct inet_sock *)sk;

	if (BPF_CORE_READ(inet, mc_index))
		return true;
	return BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET6 &&
	       BPF_CORE_READ(inet, pinet6, mcast_oif);
}

#endif /* SOCKFLOW_BPF_KERNEL_COMPAT_H */
