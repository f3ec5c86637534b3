# SPDX-License-Identifier: MIT
"""A process of a known name makes the known sessions: known_sessions.py NAME REQUEST REPLY

Its own program, so that process, executable and parent are the same on each machine. Tells what it
has made, and ends when its standard input does.
"""
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'e2e'))
import programs  # noqa: E402

name, request, reply = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
programs.name_process(name.encode())
# One over IPv4 and one over IPv6.
ports = [programs.make_session(host, request, reply) for host in ('127.0.0.1', '::1')]
print(json.dumps({'pid': os.getpid(), 'executable': os.readlink('/proc/self/exe'), 'ports': ports}),
      flush=True)
sys.stdin.read()
