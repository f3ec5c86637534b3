/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * The tracepoint sock:inet_sock_set_state alone, for kernels that let nothing be attached to functions:
 * every change of state, with the kernel's types (tp_btf). CLOSE -> SYN_SENT runs in connect(), CLOSE ->
 * LISTEN in listen(), so both owners are known; accept() changes no state and is guessed (on_first_use).
 */

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(tp_btf__inet_sock_set_state, struct sock *sk, int old_state, int new_state)
{
	/* Fires for SCTP, DCCP and the MPTCP socket above its subflows as well. */
	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	switch (new_state) {
	case BPF_TCP_SYN_SENT:
		/* No source port yet: the session is announced when it is established or has failed. */
		begin_active(sk, bpf_ktime_get_ns(), true);
		break;
	case BPF_TCP_LISTEN:
		on_listen(sk, true);
		break;
	case BPF_TCP_ESTABLISHED:
		on_established(sk, old_state, bpf_ktime_get_ns(), true, true);
		break;
	case BPF_TCP_FIN_WAIT1:
	case BPF_TCP_LAST_ACK:
		/* close() and shutdown() run in the closing process; the end will carry its name. */
		on_first_use(sk, 0, false, true);
		break;
	case BPF_TCP_CLOSE:
		on_close(sk, old_state, bpf_ktime_get_ns(), false, true);
		break;
	}
	return 0;
}
