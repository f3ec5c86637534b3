/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Which program runs, from where, and in which cgroup. Told by the kernel half because a process that
 * lives for a millisecond is gone before anybody can look at /proc, and another one may have its pid.
 *
 * Once for each process and program: a process that goes on costs one look-up for each of its sessions.
 */
#ifndef SOCKFLOW_BPF_PROCESS_H
#define SOCKFLOW_BPF_PROCESS_H

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SOCKFLOW_DESCRIBED_PROCESSES);
	__type(key, struct process_key);
	__type(value, __u8);
} described_processes SEC(".maps");

/* Octets of a command line that are told; 0: none. Set before loading. */
const volatile __u32 command_line_limit = 0;

/* With more than this in the ring buffer, what is left is for sessions. Set before loading. */
const volatile __u64 description_pending_limit = 2048;

/* Components and mounts of a path, steps to the root of a cgroup. */
#define EXECUTABLE_STEPS 64
#define CGROUP_STEPS 32

/*
 * Appends a name to a text of a description; false: it does not fit or cannot be read. How much is filled
 * stays in the record and in no variable: what the verifier knew of that would differ from each step of a
 * walk to the next, and it would follow millions of ways through the loop.
 */
#define APPEND_NAME(text, octets, name)                                                            \
	({                                                                                         \
		__u64 at_ = *(volatile __u16 *)&(octets);                                          \
		long length_ = 0;                                                                  \
		if (at_ <= sizeof(text) - SOCKFLOW_NAME_OCTETS)                                    \
			length_ = bpf_probe_read_kernel_str((text) + at_, SOCKFLOW_NAME_OCTETS,    \
							    name);                                 \
		if (length_ > 0)                                                                   \
			*(volatile __u16 *)&(octets) = at_ + length_;                              \
		length_ > 0;                                                                       \
	})

static __always_inline struct mount *mount_of(struct vfsmount *mount)
{
	return (void *)mount - bpf_core_field_offset(struct mount, mnt);
}

/*
 * As d_path() does it, without its locks: a rename meanwhile may leave a mixed path. Up to the root of
 * the mount namespace, as the agent would see it in /proc, which is above the process's own root.
 */
static __always_inline void describe_executable(struct process_description *d, struct mm_struct *mm)
{
	struct file *file = BPF_CORE_READ(mm, exe_file);
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	struct mount *mount = mount_of(BPF_CORE_READ(file, f_path.mnt));
	struct dentry *top = BPF_CORE_READ(mount, mnt.mnt_root);

	if (!file || !dentry)
		return;
	/* d_unlinked(), and what never had a place in a directory: memfd_create(). */
	if (dentry != top && !BPF_CORE_READ(dentry, d_hash.pprev))
		d->flags |= PROCESS_EXECUTABLE_DELETED;
	for (int step = 0; step < EXECUTABLE_STEPS; step++) {
		if (dentry == top) {
			struct mount *below = BPF_CORE_READ(mount, mnt_parent);

			if (below == mount)
				return;
			dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			mount = below;
			top = BPF_CORE_READ(mount, mnt.mnt_root);
			continue;
		}
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
		const unsigned char *name = BPF_CORE_READ(dentry, d_name.name);

		if (!APPEND_NAME(d->executable, d->executable_octets, name))
			break;
		if (parent == dentry)
			return;
		dentry = parent;
	}
	d->flags |= PROCESS_EXECUTABLE_CUT;
}

/* In the unified hierarchy (cgroup v2). */
static __always_inline void describe_cgroup(struct process_description *d, struct task_struct *task)
{
	struct kernfs_node *node = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn);

	for (int step = 0; step < CGROUP_STEPS; step++) {
		struct kernfs_node *parent = kernfs_parent(node);

		if (!parent)
			return;
		const char *name = BPF_CORE_READ(node, name);

		if (!APPEND_NAME(d->cgroup, d->cgroup_octets, name))
			break;
		node = parent;
	}
	d->flags |= PROCESS_CGROUP_CUT;
}

/* May fail where the page is not in memory: the agent asks /proc then. */
static __always_inline void describe_command_line(struct process_description *d, struct mm_struct *mm)
{
	__u64 begin = BPF_CORE_READ(mm, arg_start);
	__u64 octets = BPF_CORE_READ(mm, arg_end) - begin;

	if (octets > command_line_limit) {
		octets = command_line_limit;
		d->flags |= PROCESS_COMMAND_LINE_CUT;
	}
	if (octets > sizeof(d->command_line))
		octets = sizeof(d->command_line);
	if (!bpf_probe_read_user(d->command_line, octets, (void *)begin))
		d->command_line_octets = octets;
}

/*
 * A function that the verifier checks once for each program and not at each of its calls. It takes no
 * pointers: up to 5.11 such a function may not.
 */
__noinline int describe_process(__u32 tgid, __u64 start_time_ns, __u64 exec_id, __u64 cgroup_id)
{
	static const __u8 described = 1;
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	struct process_description *d = NULL;

	if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) <= description_pending_limit)
		d = bpf_ringbuf_reserve(&events, sizeof(*d), 0);
	if (!d) {
		count_loss(TCP_LOSS_RING_BUFFER_FULL_PROCESS);
		return 0;
	}
	struct process_key key = {
		.start_time_ns = start_time_ns,
		.exec_id = exec_id,
		.cgroup_id = cgroup_id,
		.tgid = tgid,
	};

	d->mark = PROCESS_DESCRIPTION_MARK;
	d->key = key;
	d->executable_octets = d->cgroup_octets = d->command_line_octets = 0;
	d->flags = d->reserved = 0;
	if (mm) {
		describe_executable(d, mm);
		if (command_line_limit)
			describe_command_line(d, mm);
	}
	describe_cgroup(d, task);
	/* Its session's event comes soon and wakes the agent if need be. */
	bpf_ringbuf_submit(d, BPF_RB_NO_WAKEUP);
	/* Only now: whoever finds it here tells of a session later than this was told. */
	bpf_map_update_elem(&described_processes, &key, &described, BPF_ANY);
	return 0;
}

/* `owner`: as read_current_owner() has read it. Comes before the event that tells of it. */
static __always_inline void describe_current(const struct tcp_event_owner *owner)
{
	struct process_key key = {
		.start_time_ns = owner->start_time_ns,
		.exec_id = owner->exec_id,
		.cgroup_id = owner->cgroup_id,
		.tgid = owner->tgid,
	};

	if (!bpf_map_lookup_elem(&described_processes, &key))
		describe_process(key.tgid, key.start_time_ns, key.exec_id, key.cgroup_id);
}

#endif /* SOCKFLOW_BPF_PROCESS_H */
