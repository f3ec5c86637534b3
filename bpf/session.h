/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * What is remembered of a socket between its hooks, and where.
 *
 * In socket storage where the kernel has it: it lives and dies with the socket (no table to fill, no
 * stale entry when the kernel uses an address again), and BPF_F_CLONE hands a listener's owner down to
 * every socket that it begets. Elsewhere in a hash by socket address, emptied at TCP_CLOSE.
 */
#ifndef SOCKFLOW_BPF_SESSION_H
#define SOCKFLOW_BPF_SESSION_H

enum session_role {
	ROLE_NONE = 0, /* over, the storage may be used again */
	ROLE_LISTENER = 1, /* or a socket begotten by one and not yet established */
	ROLE_ACTIVE = 2,
	ROLE_PASSIVE = 3,
};

/* Whether a session is told. Once something was, all is. */
enum session_choice {
	CHOICE_OPEN = 0,
	CHOICE_TOLD = 1,
	CHOICE_LEFT_OUT = 2,
};

struct session {
	__u64 id;
	__u64 start_ns;
	__u64 established_ns;
	__u64 told_ns; /* when its counters were told last, or when it began */
	struct tcp_event_owner owner;
	__u8 role;      /* enum session_role */
	__u8 owned;     /* owner is known */
	__u8 accepted;  /* a process has taken the socket out of the accept queue */
	__u8 announced; /* an event of this session got to the agent, or into its ring buffer */
	__u8 held;      /* the owner was found holding the socket */
	__u8 existing;  /* older than the agent: start_ns is when it was found */
	__u8 killed;    /* a signal killed the process that had it */
	__u8 choice;    /* enum session_choice */
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct session);
} socket_sessions SEC(".maps");

/* The agent sizes these two for the tiers that use them and makes them tiny for the others. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64); /* struct sock * */
	__type(value, struct session);
} hashed_sessions SEC(".maps");

struct listener_key {
	__u32 netns;
	__u16 port;
	__u16 family;
	__u8 address[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct listener_key);
	__type(value, struct tcp_event_owner);
} hashed_listeners SEC(".maps");

/*
 * Sockets that closed in the accept queue. accept() may still return one, long after its session
 * ended; only then is the owner known. Least recently used ones go first, so nothing leaks.
 */
struct dead_session {
	__u64 id;
	__u64 start_ns;
	__u64 established_ns;
	__u64 remote_port; /* the kernel may have used the address again */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64); /* struct sock * */
	__type(value, struct dead_session);
} dead_sessions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tcp_counters);
} counters SEC(".maps");

static __always_inline void count_loss(enum tcp_loss reason)
{
	__u32 zero = 0;
	struct tcp_counters *c = bpf_map_lookup_elem(&counters, &zero);

	if (c)
		c->lost[reason]++;
}

/*
 * Unique for a boot without shared state: 52 bits of time in units of 128 ns (18 years) and 12 bits of
 * CPU. One CPU cannot begin two sessions within 128 ns, not even when an interrupt nests one in another:
 * receiving a segment alone takes longer. Stays unique when the agent restarts.
 */
static __always_inline __u64 new_session_id(__u64 now)
{
	return (now >> 7) << 12 | (bpf_get_smp_processor_id() & 0xfff);
}

static __always_inline bool uses_sk_storage(bool typed)
{
	return typed && has_sk_storage;
}

static __always_inline struct session *find_session(struct sock *sk, bool typed)
{
	if (uses_sk_storage(typed)) {
		struct session *s = bpf_sk_storage_get(&socket_sessions, sk, 0, 0);

		return s && s->role != ROLE_NONE ? s : NULL;
	}
	__u64 key = (__u64)sk;
	return bpf_map_lookup_elem(&hashed_sessions, &key);
}

/* An entry, without a role if it is new; NULL (counted) if there is no room. */
static __always_inline struct session *find_or_add_session(struct sock *sk, bool typed)
{
	if (uses_sk_storage(typed)) {
		struct session *s = bpf_sk_storage_get(&socket_sessions, sk, 0,
						       BPF_SK_STORAGE_GET_F_CREATE);
		if (!s)
			count_loss(TCP_LOSS_STORAGE_UNAVAILABLE);
		return s;
	}
	static const struct session empty = {};
	__u64 key = (__u64)sk;
	struct session *s = bpf_map_lookup_elem(&hashed_sessions, &key);
	if (s)
		return s;
	bpf_map_update_elem(&hashed_sessions, &key, &empty, BPF_NOEXIST);
	s = bpf_map_lookup_elem(&hashed_sessions, &key);
	if (!s)
		count_loss(TCP_LOSS_TABLE_FULL);
	return s;
}

static __always_inline void remove_session(struct sock *sk, struct session *s, bool typed)
{
	if (uses_sk_storage(typed)) {
		/* Not deleted: most sockets go now anyway and take their storage along, and the kernel
		 * frees it faster then.
		 */
		s->role = ROLE_NONE;
		s->established_ns = 0;
		s->owned = s->accepted = s->announced = s->held = s->existing = s->killed = 0;
		s->choice = CHOICE_OPEN;
		return;
	}
	__u64 key = (__u64)sk;
	bpf_map_delete_elem(&hashed_sessions, &key);
}

#endif /* SOCKFLOW_BPF_SESSION_H */
