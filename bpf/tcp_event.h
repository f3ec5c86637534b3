/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * What the kernel half tells the agent: the one layout that both know. The kernel half includes it
 * after vmlinux.h, the agent as C++; both assert size and offsets, and the agent refuses an event of
 * any other size.
 */
#ifndef SOCKFLOW_BPF_TCP_EVENT_H
#define SOCKFLOW_BPF_TCP_EVENT_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#include <stddef.h>
#endif

#define SOCKFLOW_TASK_NAME 16 /* TASK_COMM_LEN */

enum tcp_event_kind {
	TCP_EVENT_CONNECT = 0,     /* active session, tuple and owner known */
	TCP_EVENT_ESTABLISHED = 1, /* passive session, owner so far the listener */
	TCP_EVENT_ACCEPT = 2,      /* passive session, owner is who accepted it */
	TCP_EVENT_UPDATE = 3,      /* counters of a session that goes on */
	TCP_EVENT_CLOSE = 4,       /* the session is over */
	TCP_EVENT_EXISTING = 5,    /* a session older than the agent, its counters so far */
};

enum tcp_event_direction {
	TCP_EVENT_ACTIVE = 0,
	TCP_EVENT_PASSIVE = 1,
};

enum tcp_event_flags {
	TCP_EVENT_OWNED = 1 << 0,           /* owner is filled in */
	TCP_EVENT_ACCEPTED = 1 << 1,        /* close: a process had the socket */
	TCP_EVENT_MAY_BE_ACCEPTED = 1 << 2, /* close: an ACCEPT may follow all the same */
	TCP_EVENT_FIN_RECEIVED = 1 << 3,
	TCP_EVENT_ALREADY_CLOSED = 1 << 4, /* accept: its CLOSE came first */
	TCP_EVENT_ANNOUNCED = 1 << 5,      /* close: an earlier event of the session got through */
	TCP_EVENT_HELD = 1 << 6,           /* the owner was found holding the socket, not seen acting on it */
	TCP_EVENT_UNSEEN_START = 1 << 7,   /* start_ns is when the session was found */
	TCP_EVENT_OWNER_KILLED = 1 << 8,   /* close: by the kernel, for a process that a signal killed */
};

/* Who connected or accepted, as it was at that moment. */
struct tcp_event_owner {
	__u64 start_time_ns; /* of the process; CLOCK_BOOTTIME */
	__u64 cgroup_id;
	__u64 exec_id; /* changes when the process executes another program */
	__u32 tgid;
	__u32 tid;
	__u32 parent_tgid;
	__u32 uid;
	char name[SOCKFLOW_TASK_NAME];        /* of the thread group's leader */
	char thread_name[SOCKFLOW_TASK_NAME]; /* of the calling thread */
	char parent_name[SOCKFLOW_TASK_NAME]; /* of the parent's thread group's leader */
};

/* Times are CLOCK_MONOTONIC nanoseconds; ports and error are in host order, addresses as on the
 * wire. An IPv4 address fills the first four octets, family says which it is (AF_INET, AF_INET6;
 * an IPv4-mapped address stays AF_INET6 here).
 */
struct tcp_event {
	__u64 session_id;
	__u64 socket_cookie; /* 0 if the kernel does not give it */
	__u64 time_ns;
	__u64 start_ns;
	__u64 established_ns; /* 0: not (yet) */
	__u64 octets_sent;    /* payload, each octet once */
	__u64 octets_received;
	struct tcp_event_owner owner;
	__u32 packets_sent;
	__u32 packets_received;
	__u32 retransmitted_packets;
	__u32 smoothed_rtt_us;
	__u32 minimum_rtt_us;
	__u32 netns;
	__u16 family;
	__u16 local_port;
	__u16 remote_port;
	__u16 error; /* sk_err */
	__u8 local_address[16];
	__u8 remote_address[16];
	__u16 flags;    /* enum tcp_event_flags */
	__u8 kind;      /* enum tcp_event_kind */
	__u8 direction; /* enum tcp_event_direction */
	__u8 old_state; /* close: the state left for TCP_CLOSE; TCP_CLOSE: not known */
	__u8 tcp_header_octets;
	__u8 reserved[2];
};

/* Why something is missing. One counter for each and CPU, read by the agent. */
enum tcp_loss {
	TCP_LOSS_RING_BUFFER_FULL_START, /* repaired from the close event */
	TCP_LOSS_RING_BUFFER_FULL_CLOSE, /* the end is lost */
	TCP_LOSS_TABLE_FULL,             /* no room for the session in the hash: it is not seen */
	TCP_LOSS_STORAGE_UNAVAILABLE,    /* the kernel had no memory for socket storage: not seen */
	TCP_LOSS_UNSEEN_START,           /* told at its end only: without owner, and when it began */
	TCP_LOSS_RING_BUFFER_FULL_PROCESS, /* a process is not described; its next session tries again */
	TCP_LOSS_REASONS,
};

struct tcp_counters {
	__u64 events;
	__u64 wakeups;
	__u64 rescued; /* moments that only a second hook saw (bpf/transitions.h) */
	__u64 filtered; /* sessions that are not told (bpf/filter.h): by the rules, */
	__u64 own;      /* and the agent's own */
	__u64 lost[TCP_LOSS_REASONS];
};

/* How the agent waits, written by it into shared memory; the kernel half wakes it accordingly. */
enum consumer_state {
	CONSUMER_BUSY = 0,     /* reads: no wakeup */
	CONSUMER_NAPPING = 1,  /* comes back soon by itself: wake it only if much has piled up */
	CONSUMER_SLEEPING = 2, /* wake it for anything */
};

#ifdef __cplusplus
#define SOCKFLOW_ASSERT static_assert
#else
#define SOCKFLOW_ASSERT _Static_assert
#endif
SOCKFLOW_ASSERT(sizeof(struct tcp_event_owner) == 88, "layout shared with the agent");
SOCKFLOW_ASSERT(sizeof(struct tcp_event) == 216, "layout shared with the agent");
SOCKFLOW_ASSERT(__builtin_offsetof(struct tcp_event, owner) == 56, "layout shared with the agent");
SOCKFLOW_ASSERT(__builtin_offsetof(struct tcp_event, family) == 168, "layout shared with the agent");
SOCKFLOW_ASSERT(__builtin_offsetof(struct tcp_event, flags) == 208, "layout shared with the agent");
#undef SOCKFLOW_ASSERT

#endif /* SOCKFLOW_BPF_TCP_EVENT_H */
