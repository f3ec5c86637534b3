# SPDX-License-Identifier: MIT
"""Many short TCP sessions over loopback at a steady rate, made by child processes."""
import os
import signal
import socket
import time

import programs

RECORDS = 4  # of one session: start and end at each of its sockets
BATCH_SECONDS = 0.002
IP_BIND_ADDRESS_NO_PORT = 24
# Each port can be used again at once towards another address, while the last session of it is in
# TIME_WAIT.
DESTINATIONS = 200


def run(sessions, per_second, source):
    """In a child: so many sessions, the client closing first."""
    with socket.socket() as listener:
        listener.bind(('', 0))
        listener.listen()
        port = listener.getsockname()[1]
        begin = time.monotonic()
        made = 0
        while made < sessions:
            due = min(sessions, int((time.monotonic() - begin) * per_second) + 1)
            while made < due:
                client = socket.socket()
                client.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
                client.bind((source, 0))
                client.connect((f'127.1.0.{1 + made % DESTINATIONS}', port))
                server, _ = listener.accept()
                client.close()
                server.close()
                made += 1
            time.sleep(BATCH_SECONDS)


class Load:
    """Sessions from `source`, made while this object lives or until join()."""

    def __init__(self, sessions, per_second, source, workers=2):
        self.begin = time.monotonic()
        self.sessions = sessions // workers * workers
        self.children = []
        for _ in range(workers):
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    run(sessions // workers, per_second / workers, source)
                    status = 0
                finally:
                    os._exit(status)
            self.children.append(pid)

    @property
    def records(self):
        return self.sessions * RECORDS

    def join(self):
        """Returns the sessions per second that were reached."""
        for pid in self.children:
            programs.check(os.waitpid(pid, 0)[1] == 0, 'a maker of sessions has failed')
        self.children = []
        return self.sessions / (time.monotonic() - self.begin)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in self.children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
