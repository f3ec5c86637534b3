# SPDX-License-Identifier: MIT
"""A control plane of Kubernetes on this host: etcd and an API server, with an authority of their own."""
import concurrent.futures
import contextlib
import http.client
import json
import secrets
import ssl
import threading
import time
import urllib.parse

import programs
from programs import check
from tls_certificates import openssl

READY_SECONDS = 90
ADMIN = 'administrator'
ISSUER = 'https://kubernetes.default.svc'
MERGE_PATCH = 'application/merge-patch+json'
# Who is not listed leaves no trace: the agents are service accounts of this name.
AGENT = 'agent'
AUDIT_POLICY = {
    'apiVersion': 'audit.k8s.io/v1', 'kind': 'Policy', 'omitStages': ['RequestReceived'],
    'rules': [{'level': 'None', 'userGroups': ['system:masters', 'system:nodes']},
              {'level': 'Metadata', 'userGroups': ['system:serviceaccounts']},
              {'level': 'None'}]}


class Refused(programs.Failure):
    """The API server answers that it does not."""

    def __init__(self, code, what):
        super().__init__(f'HTTP {code}: {what}')
        self.code = code


class Api:
    """Asks the API server with a token; from any thread."""

    def __init__(self, port, authority, token):
        self._port, self._token = port, token
        self._context = ssl.create_default_context(cafile=authority)
        self._local = threading.local()

    def _connection(self):
        connection = getattr(self._local, 'connection', None)
        if connection is None:
            connection = http.client.HTTPSConnection('127.0.0.1', self._port, context=self._context, timeout=60)
            self._local.connection = connection
        return connection

    def _ask(self, method, path, octets, headers):
        self._connection().request(method, path, octets, headers)
        answer = self._connection().getresponse()
        return answer.status, answer.read()

    def __call__(self, method, path, body=None, content='application/json'):
        headers = {'Authorization': f'Bearer {self._token}', 'Content-Type': content}
        octets = None if body is None else json.dumps(body)
        try:
            status, text = self._ask(method, path, octets, headers)
        except (OSError, http.client.HTTPException):
            # A connection that the server has ended meanwhile is no answer.
            self._connection().close()
            status, text = self._ask(method, path, octets, headers)
        if status >= 300:
            raise Refused(status, f'{method} {path}: {text.decode(errors="replace")[:500]}')
        return json.loads(text) if text.startswith(b'{') else text

    def get(self, path):
        return self('GET', path)

    def post(self, path, body):
        return self('POST', path, body)

    def patch(self, path, body):
        return self('PATCH', path, body, MERGE_PATCH)

    def delete(self, path, **query):
        return self('DELETE', f'{path}?{urllib.parse.urlencode(query)}' if query else path)


class Cluster:
    """`binaries`: the folder with the programs of Kubernetes. All that is written is in `folder`. `node`: the
    one with a kubelet, which has the token `kubelet_token`."""

    def __init__(self, binaries, folder, authority, ports, node=None):
        self.binaries, self.folder, self.authority = binaries, folder, authority
        self.port, self._etcd_port, etcd_peer_port = ports
        self._identity = authority.issue('kube-apiserver', 'IP:127.0.0.1')
        self._account_key, public_key = folder / 'accounts.key', folder / 'accounts.pub'
        openssl('genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', self._account_key)
        openssl('pkey', '-in', self._account_key, '-pubout', '-out', public_key)
        token, self.kubelet_token = secrets.token_hex(16), secrets.token_hex(16)
        (folder / 'tokens').write_text(f'{token},{ADMIN},{ADMIN},system:masters\n' + (
            f'{self.kubelet_token},system:node:{node},{node},system:nodes\n' if node else ''))
        (folder / 'audit-policy').write_text(json.dumps(AUDIT_POLICY))
        self._audit_log = folder / 'audit.log'
        self.api = Api(self.port, authority.certificate, token)
        etcd = f'http://127.0.0.1:{self._etcd_port}'
        peer = f'http://127.0.0.1:{etcd_peer_port}'
        self._etcd = programs.Program([
            'etcd', '--name=one', f'--data-dir={folder / "etcd"}', '--logger=zap', '--log-level=warn',
            f'--listen-client-urls={etcd}', f'--advertise-client-urls={etcd}', f'--listen-peer-urls={peer}',
            f'--initial-advertise-peer-urls={peer}', f'--initial-cluster=one={peer}'])
        self.server = None

    def start(self, **flags):
        """The API server; flags: watch_cache='false' is --watch-cache=false. Returns after how many seconds it
        was ready."""
        flags = {
            'etcd_servers': f'http://127.0.0.1:{self._etcd_port}', 'secure_port': self.port,
            'bind_address': '127.0.0.1', 'tls_cert_file': self._identity.certificate,
            'tls_private_key_file': self._identity.key, 'client_ca_file': self.authority.certificate,
            'token_auth_file': self.folder / 'tokens', 'authorization_mode': 'Node,RBAC',
            'service_account_issuer': ISSUER, 'service_account_key_file': self.folder / 'accounts.pub',
            'service_account_signing_key_file': self._account_key,
            'service_cluster_ip_range': '10.96.0.0/24',
            # It would tell the cluster of an address that others cannot reach, which is refused.
            'endpoint_reconciler_type': 'none', 'advertise_address': '127.0.0.1', 'allow_privileged': 'true',
            'audit_policy_file': self.folder / 'audit-policy', 'audit_log_path': self._audit_log, **flags}
        begin = time.monotonic()
        self.server = programs.Program([
            self.binaries / 'kube-apiserver',
            *(f'--{name.replace("_", "-")}={value}' for name, value in flags.items())])
        while True:
            try:
                self.api.get('/readyz')
                return time.monotonic() - begin
            except (OSError, http.client.HTTPException, Refused):
                log = self.server.log[-3000:]
                check(self.server.process.poll() is None, f'the API server has ended:\n{log}')
                check(time.monotonic() - begin < READY_SECONDS, f'the API server is not ready:\n{log}')
                time.sleep(0.1)

    def kill(self):
        """The API server, as a crash does."""
        self.server.__exit__()

    def restart(self, **flags):
        self.kill()
        return self.start(**flags)

    def compact(self):
        """etcd forgets all that is older than now."""
        connection = http.client.HTTPConnection('127.0.0.1', self._etcd_port, timeout=20)
        with contextlib.closing(connection):
            def ask(path, **body):
                connection.request('POST', path, json.dumps(body))
                answer = connection.getresponse()
                text = answer.read()
                check(answer.status == 200, f'etcd {path}: HTTP {answer.status}: {text}')
                return json.loads(text)
            # A key that is not there: only the head of the answer is of use.
            revision = ask('/v3/kv/range', key='eA==')['header']['revision']
            ask('/v3/kv/compaction', revision=revision, physical=True)
        return int(revision)

    def audit(self, user):
        """What a service account "NAMESPACE:NAME" has asked for so far: events of the audit log."""
        events = (json.loads(line) for line in self._audit_log.read_text().split('\n')[:-1])
        return [e for e in events if e['user']['username'] == f'system:serviceaccount:{user}']

    def all_at_once(self, function, arguments, threads=4):
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            return list(pool.map(function, arguments))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.server is not None:
            self.server.__exit__()
        self._etcd.__exit__()
