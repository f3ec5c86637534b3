# SPDX-License-Identifier: MIT
"""Takes what an exporter sends and looks at every octet of it."""
import pathlib
import socket
import sys

import programs

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'interop'))
import ipfix_validator  # noqa: E402


def read_elements(sockflow):
    """The types of the elements that sockflow says it exports."""
    path = sockflow.folder / 'fields.csv'
    with open(path, 'wb') as stdout, \
            programs.Program([sockflow.binary, 'fields', '--format', 'csv'],
                             stdout=stdout) as fields:
        programs.check(fields.join(10) == 0, f'sockflow fields has failed:\n{fields.log}')
    with open(path, encoding='utf-8') as lines:
        return ipfix_validator.read_elements(lines)


class Receiver:
    """A collector that keeps the datagrams as they are."""

    def __init__(self, elements, max_octets=65535):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(('127.0.0.1', 0))
        self.validator = ipfix_validator.Validator(elements, max_octets)
        self.messages = []  # (octets, records)

    @property
    def url(self):
        return f'udp://127.0.0.1:{self.socket.getsockname()[1]}'

    @property
    def records(self):
        return [record for _, records in self.messages for record in records]

    def receive(self, seconds=0):
        """Takes one datagram; False if none comes."""
        self.socket.settimeout(seconds)
        try:
            message = self.socket.recv(65535)
        except (BlockingIOError, TimeoutError):
            return False
        self.messages.append((message, self.validator.feed(message)))
        return True

    def receive_all(self):
        while self.receive():
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
