/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * tcp_connect(): the SYN is about to be sent. The right place for the start of an active session: the
 * tuple is complete (at SYN_SENT the source port is not chosen yet), the caller is the owner, and under
 * Fast Open it runs at the first write, when the SYN goes.
 */

static __always_inline void on_connect(struct sock *sk, bool again, bool typed)
{
	struct session *s = begin_active(sk, again, typed);

	if (s)
		emit(sk, s, TCP_EVENT_CONNECT, 0, 0, s->start_ns, typed);
}

SEC("fentry/tcp_connect")
int BPF_PROG(fentry__tcp_connect, struct sock *sk)
{
	on_connect(sk, false, true);
	return 0;
}

SEC("fentry/tcp_connect")
int BPF_PROG(fentry__tcp_connect_again, struct sock *sk)
{
	on_connect(sk, true, true);
	return 0;
}

SEC("kprobe/tcp_connect")
int BPF_KPROBE(kprobe__tcp_connect, struct sock *sk)
{
	on_connect(sk, false, false);
	return 0;
}
