/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Iterators over what is remembered of sockets (session.h): the counters of sessions that go on, each
 * active timeout.
 */

/* Set before loading. */
const volatile __u64 active_timeout_ns = 0;
/* When the next session is due, as the last walk left it; ~0, which the agent writes before one: never. */
volatile __u64 next_update_ns;

static __always_inline void tell_update(struct seq_file *seq, struct sock *sk, struct session *s, bool typed)
{
	if ((s->role != ROLE_ACTIVE && s->role != ROLE_PASSIVE) || !s->announced)
		return;
	__u64 now = bpf_ktime_get_ns();
	__u64 due = s->told_ns + active_timeout_ns;

	if (now >= due) {
		struct tcp_sock *tp = to_tcp_sock(sk, typed);
		struct tcp_event e;
		__u64 id = s->id;

		if (!tp)
			return;
		write_event(&e, sk, tp, s, &s->owner, TCP_EVENT_UPDATE, 0,
			    s->accepted ? TCP_EVENT_ACCEPTED : 0, now, typed);
		/* Without socket storage nothing keeps the socket: it may have gone while it was read. */
		if (s->id != id || s->role == ROLE_NONE)
			return;
		/* What finds no room in the reader's buffer is shown to us again. */
		if (bpf_seq_write(seq, &e, sizeof(e)))
			return;
		s->told_ns = now;
		due = now + active_timeout_ns;
	}
	if (due < next_update_ns)
		next_update_ns = due;
}

SEC("iter/bpf_sk_storage_map")
int iter__bpf_sk_storage_map(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	struct session *s = ctx->value;

	if (sk && s)
		tell_update(ctx->meta->seq, sk, s, true);
	return 0;
}

SEC("iter/bpf_map_elem")
int iter__bpf_map_elem(struct bpf_iter__bpf_map_elem *ctx)
{
	__u64 *key = ctx->key;
	struct session *s = ctx->value;

	if (key && s)
		tell_update(ctx->meta->seq, (struct sock *)*key, s, false);
	return 0;
}
