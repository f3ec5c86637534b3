/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * The tracepoint sock:inet_sock_set_state, with the kernel's types (tp_btf): every change of state.
 *
 * Alone it makes the tracepoint tier, for kernels that let nothing be attached to functions: CLOSE ->
 * SYN_SENT runs in connect(), CLOSE -> LISTEN in listen(), so both owners are known; accept() changes no
 * state and is guessed (on_first_use). In the kprobe tier its second program looks after
 * kprobe/tcp_set_state: a kprobe that interrupts another is not run.
 */

static __always_inline void on_inet_sock_set_state(struct sock *sk, int old_state, int new_state,
						   bool again)
{
	/* Fires for SCTP, DCCP and the MPTCP socket above its subflows as well. */
	if (sk->sk_protocol != IPPROTO_TCP)
		return;
	switch (new_state) {
	case BPF_TCP_SYN_SENT:
		/* No source port yet: the session is announced when it is established or has failed. */
		if (!has_accept_hook)
			begin_active(sk, again, true);
		break;
	case BPF_TCP_LISTEN:
		if (!has_accept_hook)
			on_listen(sk, again, true);
		break;
	case BPF_TCP_ESTABLISHED:
		on_established(sk, old_state, again, true);
		break;
	case BPF_TCP_FIN_WAIT1:
		on_local_close(sk, true);
		/* fall through */
	case BPF_TCP_LAST_ACK:
		/* close() and shutdown() run in the closing process; the end will carry its name. */
		if (!has_accept_hook)
			on_first_use(sk, old_state, false, true);
		break;
	case BPF_TCP_CLOSE:
		on_close(sk, old_state, again, true);
		break;
	}
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(tp_btf__inet_sock_set_state, struct sock *sk, int old_state, int new_state)
{
	on_inet_sock_set_state(sk, old_state, new_state, false);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(tp_btf__inet_sock_set_state_again, struct sock *sk, int old_state, int new_state)
{
	on_inet_sock_set_state(sk, old_state, new_state, true);
	return 0;
}
