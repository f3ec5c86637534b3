# SPDX-License-Identifier: MIT
"""A process of a known name makes the known sessions:

known_sessions.py NAME REQUEST REPLY SOURCE DESTINATION...

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
addresses = sys.argv[4:]
ports = [programs.make_session(destination, request, reply, source)
         for source, destination in zip(addresses[::2], addresses[1::2])]
print(json.dumps({'pid': os.getpid(), 'executable': os.readlink('/proc/self/exe'), 'ports': ports}),
      flush=True)
sys.stdin.read()
