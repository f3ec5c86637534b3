/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * inet_csk_listen_start(): listen() of the current task. Its sockets that are never accepted are the
 * listener's. (tcp_set_state() is not on this way, the socket's state is stored directly.)
 */

SEC("fentry/inet_csk_listen_start")
int BPF_PROG(fentry__inet_csk_listen_start, struct sock *sk)
{
	on_listen(sk, false, true);
	return 0;
}

SEC("kprobe/inet_csk_listen_start")
int BPF_KPROBE(kprobe__inet_csk_listen_start, struct sock *sk)
{
	on_listen(sk, false, false);
	return 0;
}
