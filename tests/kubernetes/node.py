# SPDX-License-Identifier: MIT
"""A node as the API server knows it, the pods on it, and the account of its agent."""
import time

from cluster import AGENT, Api, MERGE_PATCH

# What the agent needs, and no more.
ROLE = 'sockflow'
RULES = [{'apiGroups': [''], 'resources': ['pods'], 'verbs': ['list', 'watch']}]
# To ask the kubelet instead.
KUBELET_ROLE = 'sockflow-kubelet'
KUBELET_RULES = [{'apiGroups': [''], 'resources': ['nodes/proxy'], 'verbs': ['get']}]


def manifest(name, node, labels=None, owner=None, **spec):
    """A pod that asks for nothing; owner: what an object of the API is."""
    metadata = {'name': name, 'labels': labels or {'app': name}}
    if owner is not None:
        metadata['ownerReferences'] = [{
            'apiVersion': owner['apiVersion'], 'kind': owner['kind'], 'name': owner['metadata']['name'],
            'uid': owner['metadata']['uid'], 'controller': True}]
    return {'metadata': metadata,
            'spec': {'nodeName': node, 'automountServiceAccountToken': False,
                     'containers': [{'name': 'main', 'image': 'none'}], **spec}}


class Node:
    """Has a namespace of its own. Where there is no kubelet, what it would tell of its pods is told here."""

    def __init__(self, cluster, name):
        self.cluster, self.api, self.name = cluster, cluster.api, name
        self.user = f'{name}:{AGENT}'
        self.api.post('/api/v1/nodes', {'metadata': {'name': name}})
        self.api.post('/api/v1/namespaces', {'metadata': {'name': name}})
        # The controller manager's work.
        self.make_account('default')
        self.make_account(AGENT)
        self.allow()

    # --- the agent's account ---

    def _path(self, kind, *names, group='api/v1'):
        return '/'.join(['', group, 'namespaces', self.name, kind, *names])

    def make_account(self, name):
        return self.api.post(self._path('serviceaccounts'), {'metadata': {'name': name}})

    def delete_account(self):
        self.api.delete(self._path('serviceaccounts', AGENT))

    def allow(self, role=ROLE, rules=RULES):
        roles = '/apis/rbac.authorization.k8s.io/v1'
        if not any(r['metadata']['name'] == role for r in self.api.get(f'{roles}/clusterroles')['items']):
            self.api.post(f'{roles}/clusterroles', {'metadata': {'name': role}, 'rules': rules})
        self.api.post(f'{roles}/clusterrolebindings', {
            'metadata': {'name': f'{self.name}-{role}'},
            'roleRef': {'apiGroup': 'rbac.authorization.k8s.io', 'kind': 'ClusterRole', 'name': role},
            'subjects': [{'kind': 'ServiceAccount', 'name': AGENT, 'namespace': self.name}]})

    def forbid(self):
        self.api.delete(f'/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{self.name}-{ROLE}')

    def token(self, secret=None):
        """A new one, as the kubelet asks for it; it is void when the Secret that it is bound to is gone."""
        spec = {'expirationSeconds': 3600}
        if secret is not None:
            made = self.api.post(self._path('secrets'), {'metadata': {'name': secret}})
            spec['boundObjectRef'] = {'apiVersion': 'v1', 'kind': 'Secret', 'name': secret,
                                      'uid': made['metadata']['uid']}
        request = {'apiVersion': 'authentication.k8s.io/v1', 'kind': 'TokenRequest', 'spec': spec}
        return self.api.post(self._path('serviceaccounts', AGENT, 'token'), request)['status']['token']

    def revoke(self, secret):
        self.api.delete(self._path('secrets', secret))

    def as_agent(self, token):
        return Api(self.cluster.port, self.cluster.authority.certificate, token)

    def requests(self):
        """The agent's, so far: of each the events of the audit log."""
        return self.cluster.audit(self.user)

    def watches(self):
        """Of the agent, so far: the events of their begin."""
        return [e for e in self.requests() if e['verb'] == 'watch' and e['stage'] == 'ResponseStarted']

    # --- pods ---

    def put(self, name, address='', node=None, container=None, labels=None, owner=None, **spec):
        """A pod that runs; with `owner` it is one of that object's."""
        made = self.api.post(self._path('pods'), manifest(name, node or self.name, labels, owner, **spec))
        return self.set_status(name, address, container) if address or container else made

    def get(self, name):
        return self.api.get(self._path('pods', name))

    def set_status(self, name, address, container=None):
        status = {'phase': 'Running', 'hostIP': '127.0.0.1', 'podIP': address,
                  'podIPs': [{'ip': address}] if address else [],
                  'startTime': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}
        if container is not None:
            status['containerStatuses'] = [{
                'name': 'main', 'image': 'none', 'imageID': 'none', 'ready': True, 'restartCount': 0,
                'containerID': f'containerd://{container}'}]
        return self.api.patch(self._path('pods', name, 'status'), {'status': status})

    def set_labels(self, name, **labels):
        self.api('PATCH', self._path('pods', name), {'metadata': {'labels': labels}}, MERGE_PATCH)

    def delete(self, name):
        """As it goes with a kubelet: the API says that it is to go, then that it has gone."""
        self.api.delete(self._path('pods', name), gracePeriodSeconds=30)
        self.api.delete(self._path('pods', name), gracePeriodSeconds=0)

    def make_replica_set(self, deployment, hash):
        """Of a Deployment; returns both."""
        selector = {'matchLabels': {'app': deployment}}
        template = {'metadata': {'labels': {'app': deployment}},
                    'spec': manifest('', self.name)['spec']}
        apps = 'apis/apps/v1'
        above = self.api.post(self._path('deployments', group=apps), {
            'metadata': {'name': deployment}, 'spec': {'selector': selector, 'template': template}})
        template['metadata']['labels']['pod-template-hash'] = hash
        selector['matchLabels']['pod-template-hash'] = hash
        owner = {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'name': deployment,
                 'uid': above['metadata']['uid'], 'controller': True}
        return above, self.api.post(self._path('replicasets', group=apps), {
            'metadata': {'name': f'{deployment}-{hash}', 'ownerReferences': [owner]},
            'spec': {'selector': selector, 'template': template}})
