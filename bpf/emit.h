/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* From a socket and what is remembered of it to an event in the ring buffer. */
#ifndef SOCKFLOW_BPF_EMIT_H
#define SOCKFLOW_BPF_EMIT_H

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* the agent sets the real size before loading */
} events SEC(".maps");

/* enum consumer_state; the agent writes it through shared memory. */
volatile __u32 consumer_state = CONSUMER_BUSY;

/* A napping consumer is woken when this much is pending. Set before loading. */
const volatile __u64 wakeup_octets = 65536;

#define SOCK_DEAD_FLAG (1UL << 0) /* enum sock_flags, include/net/sock.h */
#define SOCK_DONE_FLAG (1UL << 1)

/*
 * A wakeup costs several times what the rest of an event costs, so it is given only to a consumer that
 * said it needs one, and once.
 */
static __always_inline __u64 wakeup_flags(struct tcp_counters *c)
{
	__u32 state = consumer_state;

	if (state == CONSUMER_SLEEPING ||
	    (state == CONSUMER_NAPPING &&
	     bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) >= wakeup_octets)) {
		consumer_state = CONSUMER_BUSY;
		if (c)
			c->wakeups++;
		return BPF_RB_FORCE_WAKEUP;
	}
	return BPF_RB_NO_WAKEUP;
}

/* Two pointers deep: READ() would follow the second without copying. */
static __always_inline __u32 read_netns(struct sock *sk, bool typed)
{
	return typed ? sk->__sk_common.skc_net.net->ns.inum
		     : BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

static __always_inline void read_address(struct tcp_event *e, struct sock *sk, bool typed)
{
	e->family = READ(typed, sk, __sk_common.skc_family);
	if (e->family == AF_INET6) {
		BPF_CORE_READ_INTO(&e->local_address, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&e->remote_address, sk, __sk_common.skc_v6_daddr);
		return;
	}
	__be32 *local = (__be32 *)e->local_address, *remote = (__be32 *)e->remote_address;

	local[0] = READ(typed, sk, __sk_common.skc_rcv_saddr);
	remote[0] = READ(typed, sk, __sk_common.skc_daddr);
	local[1] = local[2] = local[3] = 0;
	remote[1] = remote[2] = remote[3] = 0;
}

/*
 * Payload, each octet once. Sent: bytes_sent counts retransmissions too, SYN and FIN never. Received:
 * bytes_received follows rcv_nxt from the first octet on, so it includes the peer's FIN once that was
 * taken in order; tcp_fin() sets SOCK_DONE at the same place.
 */
static __always_inline void read_facts(struct tcp_event *e, struct sock *sk, struct tcp_sock *tp,
				       bool typed)
{
	bool fin_received = READ(typed, sk, __sk_common.skc_flags) & SOCK_DONE_FLAG;
	__u64 received = READ(typed, tp, bytes_received);

	if (fin_received && received)
		received--;
	e->octets_sent = READ(typed, tp, bytes_sent) - READ(typed, tp, bytes_retrans);
	e->octets_received = received;
	e->packets_sent = READ(typed, tp, segs_out);
	e->packets_received = READ(typed, tp, segs_in);
	e->retransmitted_packets = READ(typed, tp, total_retrans);
	e->smoothed_rtt_us = READ(typed, tp, srtt_us) >> 3;
	e->minimum_rtt_us = READ(typed, tp, rtt_min.s[0].v);
	e->tcp_header_octets = READ(typed, tp, tcp_header_len);
	e->error = READ(typed, sk, sk_err);
	if (e->minimum_rtt_us == ~0U) /* no sample yet */
		e->minimum_rtt_us = 0;
	if (fin_received)
		e->flags |= TCP_EVENT_FIN_RECEIVED;
}

static __always_inline struct tcp_sock *to_tcp_sock(struct sock *sk, bool typed)
{
	return typed ? bpf_skc_to_tcp_sock(sk) : (struct tcp_sock *)sk;
}

static __always_inline void write_event(struct tcp_event *e, struct sock *sk, struct tcp_sock *tp,
					const struct session *s, const struct tcp_event_owner *owner,
					enum tcp_event_kind kind, __u8 old_state, __u16 flags,
					__u64 now, bool typed)
{
	e->session_id = s->id;
	e->time_ns = now;
	e->start_ns = s->start_ns;
	e->established_ns = s->established_ns;
	e->owner = *owner;
	e->kind = kind;
	e->direction = s->role == ROLE_ACTIVE ? TCP_EVENT_ACTIVE : TCP_EVENT_PASSIVE;
	e->flags = flags | (s->owned ? TCP_EVENT_OWNED : 0) |
		   (s->announced ? TCP_EVENT_ANNOUNCED : 0) | (s->held ? TCP_EVENT_HELD : 0) |
		   (s->existing ? TCP_EVENT_UNSEEN_START : 0) |
		   (s->killed ? TCP_EVENT_OWNER_KILLED : 0);
	e->old_state = old_state;
	e->reserved[0] = e->reserved[1] = 0;
	e->netns = read_netns(sk, typed);
	/* skc_num is 0 already when a socket closes; inet_sport stays. */
	e->local_port = bpf_ntohs(READ(typed, tp, inet_conn.icsk_inet.inet_sport));
	e->remote_port = bpf_ntohs(READ(typed, sk, __sk_common.skc_dport));
	read_address(e, sk, typed);
	if (typed && has_socket_cookie)
		e->socket_cookie = bpf_get_socket_cookie(sk);
	else
		e->socket_cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	if (kind == TCP_EVENT_CLOSE || kind == TCP_EVENT_UPDATE || kind == TCP_EVENT_EXISTING) {
		read_facts(e, sk, tp, typed);
	} else {
		e->octets_sent = e->octets_received = 0;
		e->packets_sent = e->packets_received = 0;
		e->retransmitted_packets = 0;
		e->smoothed_rtt_us = e->minimum_rtt_us = 0;
		e->tcp_header_octets = 0;
		e->error = 0;
	}
}

/*
 * Whether what tells of the session now tells of its owner for good. Who accepts a socket may be another one
 * than who listens.
 */
static __always_inline bool owner_stays(const struct session *s, enum tcp_event_kind kind, __u16 flags)
{
	return s->role == ROLE_ACTIVE || kind == TCP_EVENT_ACCEPT ||
	       (kind == TCP_EVENT_CLOSE && !(flags & TCP_EVENT_MAY_BE_ACCEPTED));
}

static __always_inline void emit_of(struct sock *sk, struct session *s,
				    const struct tcp_event_owner *owner, enum tcp_event_kind kind,
				    __u8 old_state, __u16 flags, __u64 now, bool typed)
{
	__u32 zero = 0;
	struct tcp_counters *c = bpf_map_lookup_elem(&counters, &zero);
	struct tcp_sock *tp = to_tcp_sock(sk, typed);

	if (!tp || is_left_out(sk, s, owner, owner_stays(s, kind, flags), typed))
		return;
	struct tcp_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		count_loss(kind == TCP_EVENT_CLOSE ? TCP_LOSS_RING_BUFFER_FULL_CLOSE
						   : TCP_LOSS_RING_BUFFER_FULL_START);
		return;
	}
	write_event(e, sk, tp, s, owner, kind, old_state, flags, now, typed);
	s->announced = 1;
	if (c)
		c->events++;
	bpf_ringbuf_submit(e, wakeup_flags(c));
}

static __always_inline void emit(struct sock *sk, struct session *s, enum tcp_event_kind kind,
				 __u8 old_state, __u16 flags, __u64 now, bool typed)
{
	emit_of(sk, s, &s->owner, kind, old_state, flags, now, typed);
}

#endif /* SOCKFLOW_BPF_EMIT_H */
