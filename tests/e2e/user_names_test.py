# SPDX-License-Identifier: MIT
"""A user database that answers late, or never: sessions are told without waiting for it, and the agent ends.

user_names_test.py SOCKFLOW USER_DATABASE
"""
import json
import os
import pathlib
import socket
import sys
import tempfile
import time

import programs
from programs import check, Failure

# Not in /etc/passwd.
ADA, NOBODY_KNOWN = 54321, 54322


def session_of(uid):
    """A session whose client is a process of this user."""
    with socket.create_server(('127.0.0.1', 0)) as listener:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.setuid(uid)
                # Nothing is imported: this user may not read what Python is made of.
                with socket.socket() as client:
                    client.connect(listener.getsockname())
                status = 0
            finally:
                os._exit(status)
        check(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, 'no session was made')
        listener.accept()[0].close()


def names_of(uid, output):
    records = [json.loads(line) for line in output.read_text().splitlines()]
    return [r['userName'] for r in records if r.get('SRC_PROC_UID') == uid]


def wait_for_name(uid, name, output, seconds=20):
    """Makes sessions until one is of this name."""
    deadline = time.monotonic() + seconds
    while name not in names_of(uid, output):
        check(time.monotonic() < deadline, f'no record of {name}, but {names_of(uid, output)}')
        session_of(uid)


def run(sockflow, database, folder):
    pipe, output, port = folder / 'pipe', folder / 'flows.json', programs.free_udp_port()
    os.mkfifo(pipe)
    environment = {**os.environ, 'LD_PRELOAD': database, 'USER_DATABASE': str(pipe)}
    config = 'exporter:\n  interval_seconds: 0.1\n'
    with sockflow.collector(port, output) as collector, \
            sockflow.agent('--collector', f'udp://127.0.0.1:{port}', config=config, env=environment) as agent:
        wait_for_name(ADA, str(ADA), output)
        # Opens when the question is there.
        pipe.write_text('ada')
        wait_for_name(ADA, 'ada', output)
        wait_for_name(NOBODY_KNOWN, str(NOBODY_KNOWN), output)
        # With a question under way, which nobody answers.
        print(f'    {agent.stop()}')
        collector.stop()
    names = names_of(ADA, output)
    check(set(names) == {str(ADA), 'ada'}, f'names {set(names)}')
    check(names.index('ada') > names.index(str(ADA)), 'a name before it was known')
    print(f'    {names.count(str(ADA))} records by number, then {names.count("ada")} by name')


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        sockflow = programs.Sockflow(sys.argv[1], folder)
        sockflow.skip_unless_it_captures()
        try:
            run(sockflow, pathlib.Path(sys.argv[2]).resolve(), folder)
        except Failure as failure:
            sys.exit(f'FAILED: {failure}')


if __name__ == '__main__':
    main()
