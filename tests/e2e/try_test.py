#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""packaging/try.sh, which `make run` calls: Ctrl-C stops the agent, and the collector still prints what
the agent sends as it stops.   try_test.py TRY_SH SOCKFLOW"""

import os
import signal
import socket
import subprocess
import sys
import time

import programs

if os.geteuid() != 0:
    programs.skip("capturing needs root")
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
    try:
        probe.bind(("127.0.0.1", 4739))
    except OSError as error:
        programs.skip(f"port 4739 cannot be had: {error}")

demo = subprocess.Popen(sys.argv[1:3], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                        start_new_session=True)
captures = any("capture tier" in line for line in demo.stderr)
if not captures:
    programs.skip("this host cannot capture, or the agent did not start")
time.sleep(0.3)
with socket.create_server(("127.0.0.1", 0)) as listener:
    port = listener.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)), listener.accept()[0]:
        pass
with socket.socket() as client:
    refused = client.connect_ex(("127.0.0.1", port))
# At once: the records are still in a message that has not left.
os.killpg(demo.pid, signal.SIGINT)
began = time.monotonic()
output, log = demo.communicate(timeout=20)
lines = [line for line in output.splitlines() if f":{port} " in line]
print(output + log)
reasons = [line.split()[-1] for line in lines if " end " in line]
print(f"{len(lines)} of 6 records, ended by {reasons}, exit status {demo.returncode}, {time.monotonic() - began:.2f} s")
sys.exit(0 if len(lines) == 6 and refused and reasons.count("closed") == 2 and reasons.count("refused") == 1 and demo.returncode == 0 else 1)
