// SPDX-License-Identifier: MIT
// Ends the virtual machine with an exit code of the emulator's process: `vm_exit CODE`. Nothing
// else makes qemu end with such a code; a panic ends it with 0. First waits until what was written
// to the terminal on its stdout has been sent: closing it waits only when nobody else has it open.
// Needs no C library, so that any compiler builds it for any of the architectures.

enum { kDrain = 0x5409 };  // TCSBRK, which with an argument other than 0 is tcdrain(3)

static long ParseNumber(const char* text) {
  long value = 0;
  while (*text >= '0' && *text <= '9') value = value * 10 + (*text++ - '0');
  return value;
}

#if defined(__x86_64__)

__asm__(
    ".globl _start\n"
    "_start: mov (%rsp), %rdi\n"
    "  lea 8(%rsp), %rsi\n"
    "  and $-16, %rsp\n"
    "  call Run\n");

enum { kIoctl = 16, kExit = 60, kIoperm = 173, kDebugExitPort = 0xf4 };

static long Syscall(long call, long a, long b, long c) {
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(call), "D"(a), "S"(b), "d"(c)
                   : "rcx", "r11", "memory");
  return result;
}

// isa-debug-exit ends qemu with (value << 1) | 1: only odd codes can be had.
void Run(long argc, char** argv) {
  Syscall(kIoctl, 1, kDrain, 1);
  if (argc == 2 && Syscall(kIoperm, kDebugExitPort, 4, 1) == 0) {
    unsigned value = (unsigned)ParseNumber(argv[1]) >> 1;
    __asm__ volatile("outl %0, %w1" : : "a"(value), "Nd"(kDebugExitPort));
  }
  Syscall(kExit, 1, 0, 0);
}

#elif defined(__aarch64__)

__asm__(
    ".globl _start\n"
    "_start: ldr x0, [sp]\n"
    "  add x1, sp, #8\n"
    "  bl Run\n");

enum { kIoctl = 29, kExit = 93 };

static long Syscall(long call, long a, long b, long c) {
  register long x8 __asm__("x8") = call;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  return x0;
}

// Semihosting SYS_EXIT_EXTENDED with ADP_Stopped_ApplicationExit (Arm "Semihosting for AArch32 and
// AArch64", 7.3).
void Run(long argc, char** argv) {
  Syscall(kIoctl, 1, kDrain, 1);
  long block[2] = {0x20026, argc == 2 ? ParseNumber(argv[1]) : 1};
  register long operation __asm__("x0") = 0x20;
  register long* parameters __asm__("x1") = block;
  __asm__ volatile("hlt #0xf000" : "+r"(operation) : "r"(parameters) : "memory");
  Syscall(kExit, 1, 0, 0);
}

#else
#error "vm_exit knows x86-64 and AArch64 only"
#endif
