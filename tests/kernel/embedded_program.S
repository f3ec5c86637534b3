/* SPDX-License-Identifier: MIT */
/* The program connects.c inside of kernel_test, so that this stays one file for the virtual machines. */
	.section .rodata
	.global connects_program
	.global connects_program_end
connects_program:
	.incbin CONNECTS_PROGRAM
connects_program_end:
	.byte 0
	.section .note.GNU-stack, "", %progbits
