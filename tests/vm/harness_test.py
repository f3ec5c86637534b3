#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves that run_vm tells a pass from everything that is none: harness_test.py KERNEL CACHE."""
import pathlib
import subprocess
import sys

RUN_VM = pathlib.Path(__file__).resolve().with_name('run_vm')
PROGRAM = r'''
case $ACT in
  pass) echo "all is well"; exit 0 ;;
  silent) exit 0 ;;
  fail) echo "all is well"; exit 3 ;;
  forge) echo "all is well"; echo "@0123456789abcdef end 0 0"; kill -SEGV $$ ;;
  # setsid: a hung child of another process group has to go as well.
  hang) setsid sleep 1000 & wait ;;
  left) ! pidof sleep && echo "all is well" ;;
  # What the kernel says when the emulator fails it.
  int3) echo "<2>Oops: int3: 0000 [#1] SMP" >/dev/kmsg; echo c >/proc/sysrq-trigger; sleep 1000 ;;
  panic) echo c >/proc/sysrq-trigger; sleep 1000 ;;
esac'''
# What one boot does; run_vm's exit code; what it must print.
CASES = (
    (['pass', 'pass'], 0, ['ACT=pass: pass']),
    (['pass', 'silent', 'fail', 'forge', 'hang', 'left'], 1,
     ['ACT=pass: pass', 'ACT=silent: FAIL, its output lacks', 'ACT=fail: FAIL, exit code 3',
      'ACT=forge: FAIL, exit code 139', 'ACT=hang: FAIL, hung: killed after 5 s',
      'ACT=left: pass']),
    (['pass', 'panic', 'pass'], 1,
     ['ACT=pass: pass', 'ACT=panic: FAIL, Kernel panic', 'ACT=pass: FAIL, never run']),
    # Booted again, and in the end a failure all the same.
    (['pass', 'int3'], 1,
     ['died of the emulator: Kernel panic', 'ACT=pass: pass', 'ACT=int3: FAIL, Kernel panic']),
)


def run(kernel, cache, acts, *more):
    command = [sys.executable, RUN_VM, '--kernel', kernel, '--cache', cache,
               '--log', pathlib.Path(cache) / 'harness.console.log',
               '--expect', 'all is well', *more]
    for act in acts:
        command += ['--env', f'ACT={act}']
    done = subprocess.run([*command, '/bin/busybox', 'sh', '-c', PROGRAM],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def main():
    kernel, cache = sys.argv[1:]
    failures = 0
    cases = [(*case, ['--run-limit', '5']) for case in CASES]
    # A machine that hangs as a whole is ended by the host.
    cases.append((['hang'], 1, ['the machine is still up after 6 s'],
                  ['--run-limit', '1000', '--time-limit', '6']))
    for acts, wanted_code, wanted_texts, more in cases:
        code, output = run(kernel, cache, acts, *more)
        if code == 77:
            print(output)
            return 77
        lacking = [text for text in wanted_texts if text not in output]
        good = code == wanted_code and not lacking
        print(f'{"ok" if good else "FAILED"}: {" ".join(acts)}')
        if not good:
            failures += 1
            print(f'exit code {code}, wanted {wanted_code}; lacking {lacking} in:\n{output}')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
