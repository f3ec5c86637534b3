/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * security_sock_graft(): inet_accept() ties an accepted socket to its struct socket. Makes good what
 * kretprobe/inet_csk_accept misses: a task that blocks in accept() holds one of the kretprobe's few
 * instances (two a CPU, at least ten), and when they have run out returns go unseen. Does nothing for a
 * socket whose accept was seen. Missing in kernels without CONFIG_SECURITY_NETWORK: optional.
 */

SEC("kprobe/security_sock_graft")
int BPF_KPROBE(kprobe__security_sock_graft, struct sock *sk)
{
	/* Called for other protocols too. */
	if (BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP)
		on_accept(sk, false);
	return 0;
}
