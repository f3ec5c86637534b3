/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Which sessions are not told at all: the agent's own, and those that the user's rules certainly leave out by
 * what costs nothing to know. Decided for each session once, when something is to be told of it first, and
 * kept with it: rules that change leave alone what goes on.
 */
#ifndef SOCKFLOW_BPF_FILTER_H
#define SOCKFLOW_BPF_FILTER_H

/*
 * Two sets: the agent writes the one that is not in use, and then says that it is. A program that still reads
 * the other one ends long before the rules change again.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct filter_rules);
} filters SEC(".maps");

/* The set in use, from 1; 0: there are no rules. */
volatile __u32 filter_in_use;

/* The agent's own sessions are not told. Set before loading. */
const volatile bool leaves_out_own = false;

/*
 * The agent's process, if its sessions are not told; 0: not known yet. In a PID namespace it does not know
 * itself by this id: the first walk, which it runs itself, finds it out.
 */
volatile __u32 agent_tgid;

/* What rules ask for. */
enum filter_facts {
	FACT_PASSIVE = 1 << 0,
	FACT_LOOPBACK = 1 << 1,
	FACT_UID = 1 << 2, /* the owner's user is known, and stays */
};

/*
 * Truth is a sign here, negative is true: with & and | there is no branch, of which the verifier would follow
 * both ways for each value and each rule. (0 - x is negative for every x but 0.) Loops stay loops: unrolled they
 * would need more of the stack than the walks over sockets leave.
 */
static __always_inline __s64 is_set(__u32 bits)
{
	return 0 - (__s64)bits;
}

/* A difference is negative exactly where the port is outside. */
static __always_inline __s64 is_outside(const struct filter_ports *ports, __s64 port)
{
	__s64 result = -1;

#pragma nounroll
	for (int i = 0; i < SOCKFLOW_FILTER_VALUES; i++)
		result &= (port - ports->first[i]) | (ports->last[i] - port);
	return result;
}

static __always_inline __s64 is_none_of(const __u32 *uids, __u32 uid)
{
	__s64 result = -1;

#pragma nounroll
	for (int i = 0; i < SOCKFLOW_FILTER_VALUES; i++)
		result &= is_set(uids[i] ^ uid);
	return result;
}

/*
 * True: the rules certainly leave out such a session. A function that the verifier checks once for each
 * program, and that takes no pointers: see describe_process().
 */
__noinline int rules_leave_out(__u32 in_use, __u32 ports, __u32 uid, __u32 facts)
{
	__u32 key = in_use - 1;
	struct filter_rules *rules = bpf_map_lookup_elem(&filters, &key);
	__u32 local_port = ports >> 16, remote_port = ports & 0xffff;
	__u32 other_keys = (facts & FACT_PASSIVE ? FILTER_ACTIVE : FILTER_PASSIVE) |
			   (facts & FACT_LOOPBACK ? FILTER_NO_LOOPBACK : FILTER_LOOPBACK);
	__u32 known = facts & FACT_UID ? FILTER_UID : 0, not_known = known ^ FILTER_UID;
	__s64 is_included = 0, is_excluded = 0;

	if (!rules)
		return false;
	for (__u32 i = 0; i < SOCKFLOW_FILTER_RULES; i++) {
		if (i >= rules->count)
			break;
		const struct filter_rule *rule = &rules->rules[i];
		__s64 may_match = ~(is_set(rule->keys & other_keys) |
				    (is_outside(&rule->port, local_port) &
				     is_outside(&rule->port, remote_port)) |
				    is_outside(&rule->local_port, local_port) |
				    is_outside(&rule->remote_port, remote_port) |
				    (is_set(rule->keys & known) & is_none_of(rule->uids, uid)));

		is_included |= may_match & ~is_set(rule->excludes);
		is_excluded |= may_match & is_set(rule->excludes) & ~is_set(rule->keys & not_known);
	}
	return is_excluded < 0 || (rules->includes && is_included >= 0);
}

static __always_inline bool is_loopback_v4(__be32 address)
{
	return *(__u8 *)&address == 127;
}

static __always_inline bool is_loopback_v6(const struct in6_addr *address)
{
	const __be32 *words = address->in6_u.u6_addr32;

	if (words[0] || words[1])
		return false;
	if (words[2] == bpf_htonl(0xffff)) /* IPv4-mapped */
		return is_loopback_v4(words[3]);
	return !words[2] && words[3] == bpf_htonl(1);
}

static __always_inline bool is_over_loopback(struct sock *sk, bool typed)
{
	if (READ(typed, sk, __sk_common.skc_family) != AF_INET6)
		return is_loopback_v4(READ(typed, sk, __sk_common.skc_rcv_saddr)) ||
		       is_loopback_v4(READ(typed, sk, __sk_common.skc_daddr));
	struct in6_addr local, remote;

	BPF_CORE_READ_INTO(&local, sk, __sk_common.skc_v6_rcv_saddr);
	BPF_CORE_READ_INTO(&remote, sk, __sk_common.skc_v6_daddr);
	return is_loopback_v6(&local) || is_loopback_v6(&remote);
}

/*
 * True: nothing is told of this session. `owner_stays`: nothing will tell of another owner. Counted as it is
 * decided.
 */
static __always_inline bool is_left_out(struct sock *sk, struct session *s, const struct tcp_event_owner *owner,
					bool owner_stays, bool typed)
{
	if (s->choice != CHOICE_OPEN)
		return s->choice == CHOICE_LEFT_OUT;
	__u32 in_use = filter_in_use, agent = agent_tgid;
	bool is_own = agent && s->owned && owner->tgid == agent;

	s->choice = CHOICE_TOLD;
	if (!is_own) {
		if (!in_use)
			return false;
		/* skc_num is 0 already when a socket closes; inet_sport stays. */
		__u32 ports = bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport)) << 16 |
			      bpf_ntohs(READ(typed, sk, __sk_common.skc_dport));
		__u32 facts = (s->role == ROLE_PASSIVE ? FACT_PASSIVE : 0) |
			      (is_over_loopback(sk, typed) ? FACT_LOOPBACK : 0) |
			      (s->owned && owner_stays ? FACT_UID : 0);

		if (!rules_leave_out(in_use, ports, owner->uid, facts))
			return false;
	}
	__u32 zero = 0;
	struct tcp_counters *c = bpf_map_lookup_elem(&counters, &zero);

	if (c && is_own)
		c->own++;
	else if (c)
		c->filtered++;
	s->choice = CHOICE_LEFT_OUT;
	return true;
}

#endif /* SOCKFLOW_BPF_FILTER_H */
