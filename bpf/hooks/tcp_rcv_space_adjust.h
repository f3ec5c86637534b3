/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * The tracepoint tcp:tcp_rcv_space_adjust fires in recv() once data was copied, in the reader's context:
 * the nearest thing to accept() that a kernel without function hooks offers. Names the worker of a
 * prefork server rather than the parent that listens. A look-up in the socket is all that it costs a
 * later recv().
 */

SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(tp_btf__tcp_rcv_space_adjust, struct sock *sk)
{
	struct session *s = find_session(sk, true);

	if (s && s->role != ROLE_ACTIVE && !s->accepted)
		on_first_use(sk, sk->__sk_common.skc_state, true, true);
	return 0;
}
