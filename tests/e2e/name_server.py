# SPDX-License-Identifier: MIT
"""A name server (RFC 1035) that says what a test wants, over UDP."""
import socket
import struct
import threading

TYPE_A = 1
SERVER_FAILURE = 2
TICK = 0.05


class NameServer:
    """Answers for every name with `addresses`; None: that it has failed."""

    def __init__(self, host):
        self.addresses = None
        self.questions = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 53))
        self._socket.settimeout(TICK)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while not self._stopping.is_set():
            try:
                question, asker = self._socket.recvfrom(1500)
            except TimeoutError:
                continue
            self.questions += 1
            self._socket.sendto(self._answer(question), asker)

    def _answer(self, message):
        id, flags = struct.unpack_from('!HH', message)
        end = 12
        while message[end]:
            end += 1 + message[end]
        kind = struct.unpack_from('!H', message, end + 1)[0]
        question = message[12:end + 5]
        addresses = self.addresses
        code = SERVER_FAILURE if addresses is None else 0
        answers = [] if kind != TYPE_A else addresses or []
        # A response, to a recursive question, with recursion.
        header = struct.pack('!HHHHHH', id, 0x8080 | (flags & 0x0100) | code, 1, len(answers), 0, 0)
        return header + question + b''.join(
            struct.pack('!HHHIH', 0xc00c, TYPE_A, 1, 0, 4) + socket.inet_aton(a) for a in answers)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._thread.join()
        self._socket.close()
