/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * What each moment in a socket's life means for its session. The hooks only say which moment it is and
 * how they reach the socket (`typed`, see READ).
 *
 * Each moment is told twice, by two programs on the same hook. The kernel does not run a program that is
 * already running on that CPU (05b24ff9b2cf for tracepoints, ca06f55b9002 for fentry): a softirq that
 * interrupts a program in process context would go unseen, which costs up to one session in a hundred
 * when packets come from another CPU. The second program (`again`) runs then, and otherwise finds the
 * moment dealt with and does nothing.
 */
#ifndef SOCKFLOW_BPF_TRANSITIONS_H
#define SOCKFLOW_BPF_TRANSITIONS_H

/* This tier sees accept() and tcp_connect(); otherwise both are inferred from changes of state. */
const volatile bool has_accept_hook = true;

/* Sessions that are older than the agent are told of. */
const volatile bool tells_existing = true;

static __always_inline void count_rescue(bool again)
{
	__u32 zero = 0;
	struct tcp_counters *c = again ? bpf_map_lookup_elem(&counters, &zero) : NULL;

	if (c)
		c->rescued++;
}

static __always_inline void adopt_current(struct session *s, bool typed)
{
	read_current_owner(&s->owner, typed);
	describe_current(&s->owner);
	s->owned = 1;
	s->held = 0;
}

/* --- listeners --- */

static __always_inline void read_listener_key(struct listener_key *key, struct sock *sk)
{
	key->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	key->port = BPF_CORE_READ(sk, __sk_common.skc_num);
	key->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (key->family == AF_INET6)
		BPF_CORE_READ_INTO(&key->address, sk, __sk_common.skc_v6_rcv_saddr);
	else
		BPF_CORE_READ_INTO((__be32 *)key->address, sk, __sk_common.skc_rcv_saddr);
}

/* `task`: a process that holds a socket which listens already; NULL: the current one calls listen(). */
static __always_inline void add_listener(struct sock *sk, struct task_struct *task, bool again,
					 bool typed)
{
	if (uses_sk_storage(typed)) {
		struct session *s = again || task ? find_session(sk, typed) : NULL;

		if (s && s->role == ROLE_LISTENER)
			return;
		s = find_or_add_session(sk, typed);
		if (!s)
			return;
		count_rescue(again);
		s->role = ROLE_LISTENER;
		if (task) {
			read_owner_of(&s->owner, task);
			s->owned = 1;
		} else {
			adopt_current(s, typed);
		}
		return;
	}
	struct listener_key key = {};
	struct tcp_event_owner owner = {};

	/* A bind()less listen() gets its port inside inet_csk_listen_start(): such a listener is found
	 * by nobody and its sockets are named when they are accepted.
	 */
	read_listener_key(&key, sk);
	if (task) {
		read_owner_of(&owner, task);
	} else {
		read_current_owner(&owner, typed);
		describe_current(&owner);
	}
	if (bpf_map_update_elem(&hashed_listeners, &key, &owner, task ? BPF_NOEXIST : BPF_ANY) && !task)
		count_loss(TCP_LOSS_TABLE_FULL);
}

static __always_inline void on_listen(struct sock *sk, bool again, bool typed)
{
	add_listener(sk, NULL, again, typed);
}

static __always_inline void on_listener_closed(struct sock *sk, bool typed)
{
	if (uses_sk_storage(typed)) {
		/* The socket may listen again, or connect: it must not look like a begotten one. */
		struct session *s = find_session(sk, typed);

		if (s)
			remove_session(sk, s, typed);
		return;
	}
	struct listener_key key = {};

	read_listener_key(&key, sk);
	/* skc_num may be gone already; inet_sport is not. */
	key.port = bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
	bpf_map_delete_elem(&hashed_listeners, &key);
}

/* Hash only: the owner that socket storage would have cloned. */
static __always_inline void inherit_from_listener(struct session *s, struct sock *sk)
{
	struct listener_key key = {};
	struct tcp_event_owner *owner;

	read_listener_key(&key, sk);
	owner = bpf_map_lookup_elem(&hashed_listeners, &key);
	if (!owner) { /* bound to any address of the family */
		__builtin_memset(key.address, 0, sizeof(key.address));
		owner = bpf_map_lookup_elem(&hashed_listeners, &key);
	}
	if (!owner && key.family == AF_INET) { /* or of both */
		key.family = AF_INET6;
		owner = bpf_map_lookup_elem(&hashed_listeners, &key);
	}
	if (owner) {
		s->owner = *owner;
		s->owned = 1;
	}
}

/* --- sessions --- */

/* NULL if there is nothing to begin. */
static __always_inline struct session *begin_active(struct sock *sk, bool again, bool typed)
{
	struct session *s = again ? find_session(sk, typed) : NULL;

	if (s && s->role == ROLE_ACTIVE)
		return NULL;
	s = find_or_add_session(sk, typed);
	/* Found by the walk over older sockets before its SYN left: at once or, under
	 * TCP_FASTOPEN_CONNECT, with the first data.
	 */
	if (!s || (s->existing && s->role == ROLE_ACTIVE && !s->established_ns))
		return NULL;
	count_rescue(again);
	s->start_ns = bpf_ktime_get_ns();
	s->id = new_session_id(s->start_ns);
	s->told_ns = s->start_ns;
	s->established_ns = 0;
	s->role = ROLE_ACTIVE;
	s->accepted = 1;
	s->announced = s->existing = s->killed = 0;
	s->choice = CHOICE_OPEN;
	adopt_current(s, typed);
	return s;
}

static __always_inline void begin_passive(struct session *s, struct sock *sk, __u64 now, bool typed)
{
	s->id = new_session_id(now);
	s->start_ns = s->told_ns = now;
	s->established_ns = 0;
	s->role = ROLE_PASSIVE;
	s->accepted = 0;
	s->announced = s->held = s->existing = s->killed = 0;
	s->choice = CHOICE_OPEN;
	if (!uses_sk_storage(typed))
		inherit_from_listener(s, sk);
}

/* A socket reached ESTABLISHED, in whatever context (hardly ever its owner's). */
static __always_inline void on_established(struct sock *sk, int old_state, bool again, bool typed)
{
	struct session *s = find_session(sk, typed);

	if (s && s->established_ns)
		return;
	if (!s) {
		/* A connect that began before the agent; a child whose listener did is still ours. */
		if (old_state != BPF_TCP_SYN_RECV)
			return;
		s = find_or_add_session(sk, typed);
		if (!s)
			return;
	}
	__u64 now = bpf_ktime_get_ns();

	if (s->role != ROLE_ACTIVE && s->role != ROLE_PASSIVE)
		begin_passive(s, sk, now, typed);
	s->established_ns = now;
	count_rescue(again);
	if (!has_accept_hook) /* here the session shows first */
		emit(sk, s, s->role == ROLE_ACTIVE ? TCP_EVENT_CONNECT : TCP_EVENT_ESTABLISHED, 0, 0, now,
		     typed);
}

/* True if it died in the queue: its end is out already, only the owner was missing. */
static __always_inline bool on_accept_of_dead(struct sock *sk, bool typed)
{
	__u64 key = (__u64)sk;
	struct dead_session *dead = bpf_map_lookup_elem(&dead_sessions, &key);
	struct session last = {};

	if (!dead || dead->remote_port != READ(typed, sk, __sk_common.skc_dport))
		return false;
	last.id = dead->id;
	last.start_ns = dead->start_ns;
	last.established_ns = dead->established_ns;
	last.role = ROLE_PASSIVE;
	last.choice = CHOICE_TOLD; /* as its end was */
	adopt_current(&last, typed);
	emit(sk, &last, TCP_EVENT_ACCEPT, 0, TCP_EVENT_ALREADY_CLOSED, bpf_ktime_get_ns(), typed);
	bpf_map_delete_elem(&dead_sessions, &key);
	return true;
}

/* accept() is about to return `sk` to the current task. */
static __always_inline void on_accept(struct sock *sk, bool typed)
{
	struct session *s = find_session(sk, typed);

	if (!s) {
		/* Not by the socket's state: another CPU may be on the way into TCP_CLOSE. */
		if (on_accept_of_dead(sk, typed) ||
		    READ(typed, sk, __sk_common.skc_state) == BPF_TCP_CLOSE)
			return;
		s = find_or_add_session(sk, typed);
	}
	if (!s || s->accepted)
		return;
	__u64 now = bpf_ktime_get_ns();

	/* Under Fast Open a socket is accepted before its handshake is done (RFC 7413). */
	if (s->role != ROLE_PASSIVE)
		begin_passive(s, sk, now, typed);
	s->accepted = 1;
	/* Another CPU may still be finishing the handshake of a socket that is in the queue already, and
	 * write the listener's owner into it: what is told is what was read here.
	 */
	struct tcp_event_owner owner = {};

	read_current_owner(&owner, typed);
	describe_current(&owner);
	s->owner = owner;
	s->owned = 1;
	s->held = 0;
	emit_of(sk, s, &owner, TCP_EVENT_ACCEPT, 0, TCP_EVENT_OWNED, now, typed);
}

/*
 * True for a socket that is past its handshake though no program was told: then it is known now. (Both
 * programs of a hook can be left out, most of all on hosts that keep BPF from running while they are in
 * certain tasks.)
 */
static __always_inline bool is_begotten(const struct session *s, int state)
{
	return s->role == ROLE_LISTENER && state != BPF_TCP_LISTEN && state != BPF_TCP_SYN_RECV &&
	       state != BPF_TCP_CLOSE;
}

static __always_inline void begin_late(struct session *s, struct sock *sk, bool typed)
{
	__u64 now = bpf_ktime_get_ns();

	begin_passive(s, sk, now, typed);
	s->established_ns = now;
	count_rescue(true);
}

/*
 * No accept hook in this tier: the first to read from an accepted socket, or to close it, is taken for
 * who accepted it. `announce` if the start may still wait for the name.
 */
static __always_inline void on_first_use(struct sock *sk, int state, bool announce, bool typed)
{
	struct session *s = find_session(sk, typed);

	if (!s || s->accepted)
		return;
	if (is_begotten(s, state))
		begin_late(s, sk, typed);
	if (s->role != ROLE_PASSIVE || current_is_kernel_thread())
		return;
	s->accepted = 1;
	if (s->owned && s->owner.tgid == bpf_get_current_pid_tgid() >> 32)
		return;
	adopt_current(s, typed);
	if (announce)
		emit(sk, s, TCP_EVENT_ACCEPT, 0, 0, bpf_ktime_get_ns(), typed);
}

/*
 * The socket leaves an open state for one in which its own side has closed, or is closed at once. When the
 * process that has it is being taken down after a signal, that is why. (An interrupt that closes a socket
 * while some killed process runs would look alike, so it must be the owner.)
 */
static __always_inline void note_killed(struct session *s)
{
	if (s->owned && s->owner.tgid == bpf_get_current_pid_tgid() >> 32 && current_is_killed())
		s->killed = 1;
}

static __always_inline void on_local_close(struct sock *sk, bool typed)
{
	struct session *s = find_session(sk, typed);

	if (s && (s->role == ROLE_ACTIVE || s->role == ROLE_PASSIVE))
		note_killed(s);
}

/* Tells the end of a session and forgets it. `old_state`: the one left for TCP_CLOSE, or that if not known. */
static __always_inline void end_session(struct sock *sk, struct session *s, int old_state, bool typed)
{
	if (s->role == ROLE_ACTIVE && !s->established_ns && !s->announced && old_state != BPF_TCP_CLOSE) {
		/* connect() failed before it sent anything (no free port, Fast Open never used). It fails in
		 * the caller's context, where the change to TCP_CLOSE is seen; later the counters may be gone
		 * (tcp_disconnect(), which ends each connect that fails).
		 */
		struct tcp_sock *tp = to_tcp_sock(sk, typed);

		if (tp && READ(typed, tp, segs_out) == 0) {
			remove_session(sk, s, typed);
			return;
		}
	}
	__u8 flags = 0;
	/* In the accept queue a socket has no struct socket, and has not been orphaned either. */
	bool accepted = s->accepted || READ(typed, sk, sk_socket) ||
			READ(typed, sk, __sk_common.skc_flags) & SOCK_DEAD_FLAG;

	if (accepted) {
		flags |= TCP_EVENT_ACCEPTED;
	} else if (has_accept_hook && READ(typed, sk, sk_err)) {
		/* Reset or timed out in the queue, where it stays. (Without error it is the listener that
		 * goes away and takes the socket along.)
		 */
		__u64 key = (__u64)sk;
		struct dead_session dead = {
			.id = s->id,
			.start_ns = s->start_ns,
			.established_ns = s->established_ns,
			.remote_port = READ(typed, sk, __sk_common.skc_dport),
		};

		flags |= TCP_EVENT_MAY_BE_ACCEPTED;
		if (!is_left_out(sk, s, &s->owner, false, typed))
			bpf_map_update_elem(&dead_sessions, &key, &dead, BPF_ANY);
	}
	emit(sk, s, TCP_EVENT_CLOSE, old_state, flags, bpf_ktime_get_ns(), typed);
	remove_session(sk, s, typed);
}

/*
 * The end of a session that nobody knew: it is older than the agent and was not found (nobody held the
 * socket any more), or there was no room for it.
 */
static __always_inline void end_unseen(struct sock *sk, int old_state, bool typed)
{
	struct session last = {};

	last.start_ns = bpf_ktime_get_ns();
	last.id = new_session_id(last.start_ns);
	last.role = was_begotten(sk) ? ROLE_PASSIVE : ROLE_ACTIVE;
	last.existing = 1;
	last.established_ns = last.start_ns;
	if (is_left_out(sk, &last, &last.owner, false, typed))
		return;
	count_loss(TCP_LOSS_UNSEEN_START);
	emit(sk, &last, TCP_EVENT_CLOSE, old_state, TCP_EVENT_ACCEPTED, last.start_ns, typed);
}

static __always_inline void on_close(struct sock *sk, int old_state, bool again, bool typed)
{
	if (old_state == BPF_TCP_LISTEN) {
		on_listener_closed(sk, typed);
		return;
	}
	if (old_state == BPF_TCP_CLOSE)
		return;
	struct session *s = find_session(sk, typed);

	if (!s) {
		/* Before a SYN is sent, or a handshake done, there is nothing to tell. */
		if (!again && tells_existing && old_state != BPF_TCP_SYN_SENT &&
		    old_state != BPF_TCP_SYN_RECV)
			end_unseen(sk, old_state, typed);
		return;
	}
	if (old_state == BPF_TCP_ESTABLISHED || old_state == BPF_TCP_SYN_SENT)
		note_killed(s);
	if (is_begotten(s, old_state))
		begin_late(s, sk, typed);
	if (s->role != ROLE_ACTIVE && s->role != ROLE_PASSIVE) {
		/* Never established. */
		remove_session(sk, s, typed);
		return;
	}
	count_rescue(again);
	end_session(sk, s, old_state, typed);
}

/* The socket itself goes: an end that its change of state did not tell is told now. */
static __always_inline void on_destroy(struct sock *sk, bool typed)
{
	struct session *s = find_session(sk, typed);

	if (!s || (s->role != ROLE_ACTIVE && s->role != ROLE_PASSIVE))
		return;
	count_rescue(true);
	end_session(sk, s, BPF_TCP_CLOSE, typed);
}

#endif /* SOCKFLOW_BPF_TRANSITIONS_H */
