/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * inet_csk_accept() returns: the current task takes a socket out of the accept queue. Its parameters,
 * and with them the place of the return value, changed in 6.10 (kernel_compat.h): the agent loads the
 * program that fits the kernel's BTF. A second one needs no word: an accepted socket is not accepted again.
 */

SEC("fexit/inet_csk_accept")
int BPF_PROG(fexit__inet_csk_accept_4, struct sock *sk, int flags, int *err, bool kern,
	     struct sock *accepted)
{
	if (accepted)
		on_accept(accepted, true);
	return 0;
}

SEC("fexit/inet_csk_accept")
int BPF_PROG(fexit__inet_csk_accept_4_again, struct sock *sk, int flags, int *err,
	     bool kern, struct sock *accepted)
{
	if (accepted)
		on_accept(accepted, true);
	return 0;
}

SEC("fexit/inet_csk_accept")
int BPF_PROG(fexit__inet_csk_accept_2, struct sock *sk, struct proto_accept_arg *arg,
	     struct sock *accepted)
{
	if (accepted)
		on_accept(accepted, true);
	return 0;
}

SEC("fexit/inet_csk_accept")
int BPF_PROG(fexit__inet_csk_accept_2_again, struct sock *sk,
	     struct proto_accept_arg *arg, struct sock *accepted)
{
	if (accepted)
		on_accept(accepted, true);
	return 0;
}

SEC("kretprobe/inet_csk_accept")
int BPF_KRETPROBE(kretprobe__inet_csk_accept, struct sock *accepted)
{
	if (accepted)
		on_accept(accepted, false);
	return 0;
}
