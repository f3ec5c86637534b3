/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Who runs: facts of the current task. Only ever asked where the current task is the one that acts on
 * the socket (connect, listen, accept, first read); a socket closes in any context.
 */
#ifndef SOCKFLOW_BPF_OWNER_H
#define SOCKFLOW_BPF_OWNER_H

static __always_inline bool current_is_kernel_thread(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return BPF_CORE_READ(task, flags) & PF_KTHREAD;
}

/*
 * The name is the thread group leader's: threads rename themselves ("http-worker-9"), and io_uring's
 * workers carry names of their own ("iou-wrk-123"), while users know the process.
 */
static __always_inline void read_typed_task(struct tcp_event_owner *owner, struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	struct task_struct *parent = leader ? leader->real_parent : NULL;
	struct task_struct *parent_leader = parent ? parent->group_leader : NULL;

	if (!parent_leader)
		return;
	owner->start_time_ns = leader->start_boottime;
	owner->exec_id = task->self_exec_id;
	owner->parent_tgid = parent->tgid;
	bpf_probe_read_kernel(&owner->name, sizeof(owner->name), leader->comm);
	bpf_probe_read_kernel(&owner->parent_name, sizeof(owner->parent_name), parent_leader->comm);
}

static __always_inline void read_task(struct tcp_event_owner *owner, struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct task_struct *parent = BPF_CORE_READ(leader, real_parent);
	struct task_struct *parent_leader = BPF_CORE_READ(parent, group_leader);

	owner->start_time_ns = BPF_CORE_READ(leader, start_boottime);
	owner->exec_id = BPF_CORE_READ(task, self_exec_id);
	owner->parent_tgid = BPF_CORE_READ(parent, tgid);
	BPF_CORE_READ_INTO(&owner->name, leader, comm);
	BPF_CORE_READ_INTO(&owner->parent_name, parent_leader, comm);
}

static __always_inline void read_current_owner(struct tcp_event_owner *owner, bool typed)
{
	__u64 ids = bpf_get_current_pid_tgid();

	owner->tgid = ids >> 32;
	owner->tid = (__u32)ids;
	owner->uid = (__u32)bpf_get_current_uid_gid();
	owner->cgroup_id = bpf_get_current_cgroup_id();
	bpf_get_current_comm(owner->thread_name, sizeof(owner->thread_name));
	if (typed && has_sk_storage) /* bpf_get_current_task_btf() came with 5.11, too */
		read_typed_task(owner, bpf_get_current_task_btf());
	else
		read_task(owner, (struct task_struct *)bpf_get_current_task());
}

/* The same of a task that does not run. Which of its threads acts on a socket is not known. */
static __always_inline void read_owner_of(struct tcp_event_owner *owner, struct task_struct *task)
{
	owner->tgid = owner->tid = BPF_CORE_READ(task, tgid);
	owner->uid = BPF_CORE_READ(task, real_cred, uid.val);
	owner->cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	read_task(owner, task);
	__builtin_memcpy(owner->thread_name, owner->name, sizeof(owner->thread_name));
}

/* The current process was killed by a signal and is being taken down. */
static __always_inline bool current_is_killed(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	/* wait(2): the signal is in the low seven bits. */
	return BPF_CORE_READ(task, flags) & PF_EXITING && BPF_CORE_READ(task, exit_code) & 0x7f;
}

#endif /* SOCKFLOW_BPF_OWNER_H */
