# SPDX-License-Identifier: MIT
"""A way to a server of TCP that can be cut and barred."""
import contextlib
import socket
import threading

OCTETS = 1 << 16


class Relay:
    """Passes on what arrives at its own port, both ways."""

    def __init__(self, target_port):
        self._target_port = target_port
        self._lock = threading.Lock()
        self._sockets = set()
        self._barred = False
        self.received = 0  # octets from the server
        self._hold_at = None
        self._held, self._go_on = threading.Event(), threading.Event()
        self._listener = socket.create_server(('127.0.0.1', 0))
        self.url = f'https://127.0.0.1:{self._listener.getsockname()[1]}'
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            with contextlib.suppress(OSError), self._lock:
                if self._barred:
                    client.close()
                    continue
                server = socket.create_connection(('127.0.0.1', self._target_port))
                self._sockets |= {client, server}
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=(*pair, pair[0] is server), daemon=True).start()
                continue
            client.close()  # there is no server

    def _pass_on(self, source, sink, from_server):
        with contextlib.suppress(OSError):
            while octets := source.recv(OCTETS):
                if from_server:
                    self.received += len(octets)
                    self._hold_here()
                sink.sendall(octets)
        with self._lock:
            for one in (source, sink):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                self._sockets.discard(one)

    def hold_at(self, octets):
        """So many octets from the server are passed on at most until go_on()."""
        self._hold_at = octets

    def _hold_here(self):
        if self._hold_at is not None and self.received >= self._hold_at:
            self._held.set()
            self._go_on.wait()

    def wait_until_held(self, seconds):
        return self._held.wait(seconds)

    def go_on(self):
        self._hold_at = None
        self._go_on.set()

    def cut(self):
        """Ends all connections; new ones are welcome."""
        with self._lock:
            for one in self._sockets:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def barred(self):
        """Ends all connections, and nobody gets through meanwhile."""
        self._barred = True
        self.cut()
        try:
            yield
        finally:
            self._barred = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.go_on()
        # close() alone would not end accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
