/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Iterator over the descriptors of all processes: who holds the sockets that are older than the agent. Runs
 * once, after the hooks are attached, and leaves alone what they know already.
 */

/* `task`: NULL if no process holds it. */
static __always_inline void find_existing(struct seq_file *seq, struct sock *sk, struct task_struct *task,
					  bool typed)
{
	int state = READ(typed, sk, __sk_common.skc_state);
	struct tcp_sock *tp = to_tcp_sock(sk, typed);

	if (!tp || state == BPF_TCP_CLOSE || state == BPF_TCP_SYN_RECV)
		return;
	if (state == BPF_TCP_LISTEN) {
		if (task)
			add_listener(sk, task, false, typed);
		return;
	}
	struct session *s = tells_existing ? find_session(sk, typed) : NULL;
	if (!tells_existing || (s && !is_begotten(s, state)))
		return;
	s = find_or_add_session(sk, typed);
	if (!s)
		return;
	__u64 now = bpf_ktime_get_ns();

	s->id = new_session_id(now);
	s->start_ns = s->told_ns = now;
	s->established_ns = state == BPF_TCP_SYN_SENT ? 0 : now;
	s->role = was_begotten(sk) ? ROLE_PASSIVE : ROLE_ACTIVE;
	/* In the accept queue it has no struct socket, and has not been orphaned either. */
	s->accepted = task || READ(typed, sk, sk_socket) ||
		      READ(typed, sk, __sk_common.skc_flags) & SOCK_DEAD_FLAG;
	s->existing = s->announced = 1;
	s->killed = 0;
	s->choice = CHOICE_OPEN;
	s->owned = s->held = task ? 1 : 0;
	if (task)
		read_owner_of(&s->owner, task);

	if (is_left_out(sk, s, &s->owner, s->owned, typed)) {
		s->announced = 0;
		return;
	}
	struct tcp_event e;

	write_event(&e, sk, tp, s, &s->owner, TCP_EVENT_EXISTING, 0, 0, now, typed);
	/* What finds no room in the reader's buffer is shown to us again. */
	if (bpf_seq_write(seq, &e, sizeof(e)))
		remove_session(sk, s, typed);
}

SEC("iter/task_file")
int iter__task_file(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct task_struct *task = ctx->task;

	/* It is the agent who reads. */
	if (leaves_out_own && !agent_tgid)
		agent_tgid = bpf_get_current_pid_tgid() >> 32;
	if (!file || !task)
		return 0;
	if (has_sk_storage) { /* bpf_sock_from_file() came with 5.11, too */
		struct socket *socket = bpf_sock_from_file(file);
		struct sock *sk = socket ? socket->sk : NULL;

		if (sk && sk->sk_protocol == IPPROTO_TCP)
			find_existing(ctx->meta->seq, sk, task, true);
		return 0;
	}
	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	/* A socket in a file system, opened with O_PATH, has none. */
	struct socket *socket = BPF_CORE_READ(file, private_data);
	struct sock *sk = socket && BPF_CORE_READ(socket, file) == file ? BPF_CORE_READ(socket, sk) : NULL;

	if (!sk || BPF_CORE_READ(sk, sk_type) != SOCK_STREAM ||
	    BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (family == AF_INET || family == AF_INET6)
		find_existing(ctx->meta->seq, sk, task, false);
	return 0;
}
