/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * tcp_set_state(): handshake done, own side closed, session over. Entered with the old state still in the
 * socket.
 */

static __always_inline void on_tcp_set_state(struct sock *sk, int new_state, bool again,
					     bool typed)
{
	if (new_state == BPF_TCP_FIN_WAIT1)
		on_local_close(sk, typed);
	if (new_state != BPF_TCP_ESTABLISHED && new_state != BPF_TCP_CLOSE)
		return;
	int old_state = READ(typed, sk, __sk_common.skc_state);

	if (new_state == BPF_TCP_ESTABLISHED)
		on_established(sk, old_state, again, typed);
	else
		on_close(sk, old_state, again, typed);
}

SEC("fentry/tcp_set_state")
int BPF_PROG(fentry__tcp_set_state, struct sock *sk, int state)
{
	on_tcp_set_state(sk, state, false, true);
	return 0;
}

SEC("fentry/tcp_set_state")
int BPF_PROG(fentry__tcp_set_state_again, struct sock *sk, int state)
{
	on_tcp_set_state(sk, state, true, true);
	return 0;
}

SEC("kprobe/tcp_set_state")
int BPF_KPROBE(kprobe__tcp_set_state, struct sock *sk, int state)
{
	on_tcp_set_state(sk, state, false, false);
	return 0;
}
