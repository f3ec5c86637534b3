#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the live cases of the owner finder: run_live.py OWNER_FINDER_TEST

On a busy machine an owner may stay unknown, which is allowed, so a case that found nobody is run again, and
that is said. An owner that is wrong is a failure at once.
"""
import re
import subprocess
import sys

ATTEMPTS = 3
NOBODY = 'nobody was found'
FAILED = re.compile(r'^\[  FAILED  \] (\S+?),? .*\(\d+ ms\)$', re.MULTILINE)


def run(program, cases):
    done = subprocess.run([program, f'--gtest_filter={":".join(cases)}'], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    print(done.stdout, flush=True)
    return done.returncode, done.stdout


def main():
    program, cases = sys.argv[1], ['*']
    for attempt in range(ATTEMPTS):
        status, output = run(program, cases)
        if status == 0:
            return 0
        cases = FAILED.findall(output)
        # Each failure says what it is; one that says something else is none of luck.
        if not cases or output.count(': Failure\n') != output.count(NOBODY):
            return 1
        print(f'{", ".join(cases)}: {NOBODY}, attempt {attempt + 1} of {ATTEMPTS}', flush=True)
    return 1


if __name__ == '__main__':
    sys.exit(main())
