/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * The tracepoint tcp:tcp_destroy_sock: the kernel gives the socket up. The tracepoint tier's last chance to
 * tell an end; a session whose change to TCP_CLOSE was seen is not known any more by then.
 */

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(tp_btf__tcp_destroy_sock, struct sock *sk)
{
	on_destroy(sk, true);
	return 0;
}
