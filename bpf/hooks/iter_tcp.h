/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Iterator over the sockets of the agent's network namespace: those that no process holds, because they
 * wait to be accepted, or their process has closed them and their end is not acknowledged yet. Runs once,
 * after iter/task_file.
 */

SEC("iter/tcp")
int iter__tcp(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	/* Not for the small sockets of a handshake or of TIME_WAIT. */
	struct tcp_sock *tp = common ? bpf_skc_to_tcp_sock(common) : NULL;

	if (tp && common->skc_state != BPF_TCP_LISTEN)
		find_existing(ctx->meta->seq, (struct sock *)tp, NULL, true);
	return 0;
}
