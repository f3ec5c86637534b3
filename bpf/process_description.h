/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * What the kernel half tells of a process besides its sessions: once, in a record of its own that comes
 * before the first event that names the process. Of the same ring buffer as struct tcp_event, which has
 * another size; included the same way.
 */
#ifndef SOCKFLOW_BPF_PROCESS_DESCRIPTION_H
#define SOCKFLOW_BPF_PROCESS_DESCRIPTION_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#include <stddef.h>
#endif

/* The first word: no clock tells this time, so no tcp_event begins with it (session_id). */
#define PROCESS_DESCRIPTION_MARK 0xff70726f63657373ULL

#define SOCKFLOW_NAME_OCTETS 256 /* NAME_MAX and a NUL */
/* A path that leaves less than a whole name's room is cut, so all but 256 octets of these can always be used. */
#define SOCKFLOW_EXECUTABLE_OCTETS 1024
#define SOCKFLOW_CGROUP_OCTETS 768
#define SOCKFLOW_COMMAND_LINE_OCTETS 1024

/*
 * Processes that the kernel half remembers to have described. The agent remembers more, so that it does
 * not forget what it will not be told again.
 */
#define SOCKFLOW_DESCRIBED_PROCESSES 4096

enum process_description_flags {
	PROCESS_EXECUTABLE_CUT = 1 << 0, /* the components next to the root are missing */
	PROCESS_EXECUTABLE_DELETED = 1 << 1,
	PROCESS_CGROUP_CUT = 1 << 2,
	PROCESS_COMMAND_LINE_CUT = 1 << 3,
};

/* What tells a program in a process apart from all others of a boot. */
struct process_key {
	__u64 start_time_ns; /* as in struct tcp_event_owner */
	__u64 exec_id;
	__u64 cgroup_id;
	__u32 tgid;
	__u32 reserved;
};

struct process_description {
	__u64 mark; /* PROCESS_DESCRIPTION_MARK */
	struct process_key key;
	__u16 executable_octets; /* of each text: how many are filled */
	__u16 cgroup_octets;
	__u16 command_line_octets;
	__u8 flags; /* enum process_description_flags */
	__u8 reserved;
	/* Paths: the names of their components, the last one first, each with a NUL. A kernel thread has
	 * no executable, the root none either.
	 */
	char executable[SOCKFLOW_EXECUTABLE_OCTETS];
	char cgroup[SOCKFLOW_CGROUP_OCTETS];
	char command_line[SOCKFLOW_COMMAND_LINE_OCTETS]; /* arguments, each with a NUL */
};

#ifdef __cplusplus
#define SOCKFLOW_ASSERT static_assert
#else
#define SOCKFLOW_ASSERT _Static_assert
#endif
SOCKFLOW_ASSERT(sizeof(struct process_key) == 32, "layout shared with the agent");
SOCKFLOW_ASSERT(sizeof(struct process_description) == 2864, "layout shared with the agent");
SOCKFLOW_ASSERT(__builtin_offsetof(struct process_description, executable) == 48,
		"layout shared with the agent");
#undef SOCKFLOW_ASSERT

#endif /* SOCKFLOW_BPF_PROCESS_DESCRIPTION_H */
