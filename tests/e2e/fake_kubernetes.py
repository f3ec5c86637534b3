# SPDX-License-Identifier: MIT
"""An API server of Kubernetes that knows pods and nothing else, and can be told to misbehave."""
import collections
import contextlib
import http.server
import json
import socket
import ssl
import threading
import time
import urllib.parse

NODE = 'node-1'


def pod(name, address='', uid=None, **spec):
    """A pod object, as the server stores it."""
    return {'metadata': {'name': name, 'namespace': 'shop', 'uid': uid or f'uid-of-{name}',
                         'labels': {'app': name, 'pod-template-hash': 'abc'},
                         'ownerReferences': [{'kind': 'ReplicaSet', 'name': f'{name}-abc',
                                              'controller': True}]},
            'spec': {'nodeName': NODE, **spec},
            'status': {'phase': 'Running', 'podIP': address,
                       'podIPs': [{'ip': address}] if address else []}}


def status(code, message):
    return {'kind': 'Status', 'apiVersion': 'v1', 'metadata': {}, 'status': 'Failure',
            'message': message, 'code': code}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *_):
        pass

    def do_GET(self):
        with contextlib.suppress(OSError, ssl.SSLError):
            self.server.api.answer(self)

    def begin(self, code=200, length=None):
        self.send_response(code)
        self.send_header('Content-Type', 'application/json')
        if length is None:
            self.send_header('Transfer-Encoding', 'chunked')
        else:
            self.send_header('Content-Length', str(length))
        self.end_headers()

    def send(self, code, body):
        octets = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.begin(code, len(octets))
        self.wfile.write(octets)

    def chunk(self, octets):
        self.wfile.write(b'%x\r\n%s\r\n' % (len(octets), octets))

    def end(self):
        self.wfile.write(b'0\r\n\r\n')

    def cut(self):
        """The connection ends, the answer does not."""
        self.close_connection = True
        self.wfile.flush()
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):
        pass  # who does not trust the certificate goes away


class FakeKubernetes:
    """Serves /api/v1/pods (list and watch) and /pods over TLS. `script`: functions that take a Handler, and
    answer one request each before the server is itself again."""

    def __init__(self, identity, host='127.0.0.1', port=0):
        self.pods = {}
        self.version = 100
        self.oldest = 0          # watches from before are told 410
        self.gone_as_event = False
        self.tokens = {'right'}
        self.page = 500
        self.script = collections.deque()
        self.requests = []       # (path, query, token)
        self.watches = 0         # that go on
        self._events = []        # (version, line)
        self._news = threading.Condition()
        self._cuts = 0
        self._closed = False
        self.server = Server((host, port), Handler)
        self.server.api = self
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.certificate, identity.key)
        # The handshake is for the thread of the connection.
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.url = f'https://{host}:{self.port}'
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self):
        with self._news:
            self._closed = True
            self._news.notify_all()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- what happens in the cluster ---

    def put(self, *objects):
        for one in objects:
            self._change('MODIFIED' if one['metadata']['uid'] in self.pods else 'ADDED', one)

    def delete(self, one):
        self._change('DELETED', one)

    def _change(self, kind, one):
        with self._news:
            self.version += 1
            one['metadata']['resourceVersion'] = str(self.version)
            if kind == 'DELETED':
                self.pods.pop(one['metadata']['uid'], None)
            else:
                self.pods[one['metadata']['uid']] = one
            self._events.append((self.version, json.dumps({'type': kind, 'object': one}).encode() + b'\n'))
            self._news.notify_all()

    def say(self, line):
        """Something that every watch gets, whatever it is."""
        with self._news:
            self.version += 1
            self._events.append((self.version, line))
            self._news.notify_all()

    def forget(self):
        """Watches end, and their versions are too old for new ones (etcd was compacted)."""
        with self._news:
            self.version += 1
            self.oldest = self.version
            self._cuts += 1
            self._news.notify_all()

    def end_watches(self):
        with self._news:
            self._cuts += 1
            self._news.notify_all()

    def wait_for(self, condition, seconds=20):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    # --- answers ---

    def answer(self, handler):
        url = urllib.parse.urlsplit(handler.path)
        query = {key: values[0] for key, values in urllib.parse.parse_qs(url.query).items()}
        token = handler.headers.get('Authorization', '').removeprefix('Bearer ')
        self.requests.append((url.path, query, token))
        try:
            act = self.script.popleft()
        except IndexError:
            act = None
        if act is not None:
            act(handler)
        elif token not in self.tokens:
            handler.send(401, status(401, 'Unauthorized'))
        elif url.path == '/pods':
            self._list(handler, {})
        elif query.get('fieldSelector') != f'spec.nodeName={NODE}':
            handler.send(403, status(403, 'pods is forbidden: only those of the node'))
        elif query.get('watch'):
            self._watch(handler, query)
        else:
            self._list(handler, query)

    def _list(self, handler, query):
        if 'continue' in query and 'resourceVersion' in query:
            handler.send(400, status(400, 'specifying resource version is not allowed when using continue'))
            return
        with self._news:
            pods, version = list(self.pods.values()), self.version
        begin = int(query.get('continue', 0))
        end = begin + self.page if 'limit' in query else len(pods)
        metadata = {'resourceVersion': str(version)}
        if end < len(pods):
            metadata['continue'] = str(end)
        handler.send(200, {'kind': 'PodList', 'apiVersion': 'v1', 'metadata': metadata,
                           'items': pods[begin:end]})

    def _watch(self, handler, query):
        at = int(query['resourceVersion'])
        too_old = status(410, f'too old resource version: {at} ({self.oldest})')
        if at < self.oldest and not self.gone_as_event:
            handler.send(410, too_old)
            return
        handler.begin()
        if at < self.oldest:
            handler.chunk(json.dumps({'type': 'ERROR', 'object': too_old}).encode() + b'\n')
            handler.end()
            return
        deadline = time.monotonic() + int(query['timeoutSeconds'])
        with self._news:
            cuts = self._cuts
            self.watches += 1
        try:
            while True:
                with self._news:
                    self._news.wait_for(
                        lambda: self._closed or self._cuts != cuts or self.version > at,
                        max(0, deadline - time.monotonic()))
                    over = self._closed or self._cuts != cuts or time.monotonic() >= deadline
                    lines = [line for version, line in self._events if version > at]
                    at = self.version
                for line in lines:
                    handler.chunk(line)
                if over:
                    handler.end()
                    return
        finally:
            with self._news:
                self.watches -= 1
