/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Rules of the agent's filter that the kernel half can settle: the layout that both know, as the agent
 * writes it into a map.
 */
#ifndef SOCKFLOW_BPF_FILTER_RULES_H
#define SOCKFLOW_BPF_FILTER_RULES_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* A power of two: the verifier sees from the mask that an index is in bounds. */
#define SOCKFLOW_FILTER_RULES 32
/* Values of a key. */
#define SOCKFLOW_FILTER_VALUES 8

/* Which keys a rule has. */
enum filter_keys {
	FILTER_PORT = 1 << 0, /* of either end */
	FILTER_LOCAL_PORT = 1 << 1,
	FILTER_REMOTE_PORT = 1 << 2,
	FILTER_UID = 1 << 3,
	FILTER_ACTIVE = 1 << 4,
	FILTER_PASSIVE = 1 << 5,
	FILTER_LOOPBACK = 1 << 6,
	FILTER_NO_LOOPBACK = 1 << 7,
};

/*
 * From the first to the last, both of them in it. Those that are not used hold nothing: 1 to 0. Of a key that a
 * rule does not have the first holds all.
 */
struct filter_ports {
	__u16 first[SOCKFLOW_FILTER_VALUES];
	__u16 last[SOCKFLOW_FILTER_VALUES];
};

struct filter_rule {
	struct filter_ports port;
	struct filter_ports local_port;
	struct filter_ports remote_port;
	__u32 uids[SOCKFLOW_FILTER_VALUES]; /* those that are not used: ~0, which nobody has */
	__u32 keys;                         /* enum filter_keys */
	/*
	 * 1: leaves out what it matches. 0: what no such rule matches is left out; it may then have fewer keys
	 * than the user's, and match more.
	 */
	__u32 excludes;
};

struct filter_rules {
	__u32 count;    /* of rules */
	__u32 includes; /* how many of them do not exclude; 0: what none excludes is told */
	struct filter_rule rules[SOCKFLOW_FILTER_RULES];
};

#endif /* SOCKFLOW_BPF_FILTER_RULES_H */
