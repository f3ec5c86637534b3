# SPDX-License-Identifier: MIT
"""Names of pods from a real API server of Kubernetes, which is well, restarted, forgetful or strict.

api_server_test.py SOCKFLOW CACHE [CASE...]
    CACHE   where Kubernetes is built the first time
"""
import os
import re
import time
import urllib.parse

import suite
from cluster import Refused
from kubernetes_pods_test import unified_hierarchy
from kubernetes_test import HERE, THERE, cpu_seconds_of, memory_of
from node import Node
from pod_network import PodNetwork
from programs import check, make_session, own_address
from suite import check_no_trouble, SECONDS, wait_for

ELSEWHERE = own_address(2)
MANY = 5000
# Bookmarks come once a minute.
BOOKMARK_SECONDS = 100
# For so long the API server believes in a token that it has seen.
TOKEN_CACHE_SECONDS = 10


def query_of(event):
    url = urllib.parse.urlsplit(event['requestURI'])
    return {key: values[0] for key, values in urllib.parse.parse_qs(url.query).items()}


def lists_of(events):
    return [e for e in events if e['verb'] == 'list']


def gone_lines(agent):
    """What the agent says when the server has forgotten where it was."""
    return [line for line in agent.lines if '(410)' in line or 'HTTP 410' in line]


class TokenFolder:
    """Tokens as the kubelet projects them: a link is turned to a new folder, in one step."""

    def __init__(self, folder):
        self._folder, self._count = folder, 0
        folder.mkdir()
        self.file = folder / 'token'
        self.file.symlink_to('..data/token')

    def put(self, token):
        self._count += 1
        data = self._folder / f'..{self._count}'
        data.mkdir()
        (data / 'token').write_text(token)
        link = self._folder / '..new'
        link.symlink_to(data.name)
        link.rename(self._folder / '..data')


class ApiServer(suite.Suite):
    """The cases. Each has a node of its own."""

    # --- all is well ---

    def case_names(self):
        node = Node(self.cluster, 'names')
        _, web = node.make_replica_set('web', '5d4f8c9b7d')
        hash = {'app': 'web', 'pod-template-hash': '5d4f8c9b7d', 'tier': 'front'}
        node.put('web-5d4f8c9b7d-x', HERE, owner=web, labels=hash)
        node.put('proxy', '127.0.0.1', hostNetwork=True)
        node.put('other', ELSEWHERE, node='another-node')
        with self.relay() as relay, \
                self.watched(node, relay, ready='kubernetes: 2 pods known', labels=['app', 'tier']) as agent:
            agent.wait_for_pods('web-5d4f8c9b7d-x', '')
            # Added while the agent runs.
            node.put('db-0', THERE, labels={'app': 'db'},
                     owner={'apiVersion': 'apps/v1', 'kind': 'StatefulSet', 'metadata': {'name': 'db', 'uid': 'u-db'}})
            agent.wait_for_pods('web-5d4f8c9b7d-x', 'db-0')
            self.check_facts(agent, sourcePodNamespace='names', sourcePodWorkload='Deployment/web',
                             sourcePodLabels='app=web,tier=front', sourceNodeName='names',
                             destinationPodNamespace='names', destinationPodWorkload='StatefulSet/db',
                             destinationPodLabels='app=db', destinationNodeName='names')
            check(agent.pods('127.0.0.1', '127.0.0.1') == ('', ''), 'a pod in the host network by its address')
            check(agent.pods(HERE, ELSEWHERE) == ('web-5d4f8c9b7d-x', ''), "a pod of another node")
            # Changed: its labels, then its address.
            node.set_labels('db-0', app='store')
            wait_for(lambda: self.facts(agent).get('destinationPodLabels') == 'app=store', 'the new label')
            node.set_status('db-0', ELSEWHERE)
            wait_for(lambda: agent.pods(HERE, ELSEWHERE) == ('web-5d4f8c9b7d-x', 'db-0'), 'the new address')
            # Gone; its address passes to another.
            node.delete('db-0')
            node.put('cache', THERE)
            agent.wait_for_pods('web-5d4f8c9b7d-x', 'cache')
            node.delete('web-5d4f8c9b7d-x')
            node.put('web-2', HERE)
            agent.wait_for_pods('web-2', 'cache')
            check_no_trouble(agent)

    def facts(self, agent):
        """What the records of a session between HERE and THERE say."""
        merged = {}
        for record in agent.records(make_session(host=THERE, source=HERE), 4):
            merged.update({k: v for k, v in record.items() if v})
        return merged

    def check_facts(self, agent, **expected):
        facts = self.facts(agent)
        got = {key: facts.get(key) for key in expected}
        check(got == expected, f'{got}, not {expected}')

    def case_only_its_own_node(self):
        """What the agent may ask for, what it asks for, and what it gets."""
        node = Node(self.cluster, 'own')
        node.put('web', HERE)
        for i in range(20):
            node.put(f'other{i}', node='another-node')
        with self.relay() as relay, self.watched(node, relay, ready='kubernetes: 1 pods known') as agent:
            agent.wait_for_pods('web', '')
            before = relay.received
            for i in range(20):
                node.put(f'more{i}', ELSEWHERE, node='another-node')
            node.put('db', THERE)
            agent.wait_for_pods('web', 'db')
            print(f'    {relay.received - before} octets for one new pod here and 20 elsewhere')
            check(relay.received - before < 10_000, 'more than of one pod')
            check_no_trouble(agent)
        events = node.requests()
        check({e['verb'] for e in events} == {'list', 'watch'}, events)
        check({urllib.parse.urlsplit(e['requestURI']).path for e in events} == {'/api/v1/pods'}, events)
        check({query_of(e).get('fieldSelector') for e in events} == {'spec.nodeName=own'}, events)
        check({e['responseStatus']['code'] for e in events} == {200}, events)
        asked = node.as_agent(node.token())
        items = asked.get(next(e['requestURI'] for e in events if e['verb'] == 'list'))['items']
        check({i['spec']['nodeName'] for i in items} == {'own'} and len(items) == 2, items)
        # Its account is good for nothing else.
        for method, path in (('GET', '/api/v1/secrets'), ('GET', '/api/v1/nodes'), ('GET', '/api/v1/namespaces/own/pods/web'),
                             ('DELETE', '/api/v1/namespaces/own/pods/web')):
            try:
                asked(method, path)
                check(False, f'{method} {path} is allowed')
            except Refused as refused:
                check(refused.code == 403, refused)

    def case_bookmarks(self):
        """The version moves on though nothing happens here, so that it is never too old."""
        node = Node(self.cluster, 'bookmarks')
        node.put('web', HERE)
        with self.relay() as relay, self.watched(node, relay, ready='kubernetes: 1 pods known') as agent:
            wait_for(node.watches, 'a watch')
            other = node.put('other', node='another-node')
            version = int(other['metadata']['resourceVersion'])
            begin, before = time.monotonic(), relay.received
            wait_for(lambda: relay.received > before, 'a bookmark', BOOKMARK_SECONDS)
            print(f'    a bookmark after {time.monotonic() - begin:.0f} s, {relay.received - before} octets')
            self.cluster.compact()
            relay.cut()
            node.put('db', THERE)
            agent.wait_for_pods('web', 'db')
            first, second = (int(query_of(e)['resourceVersion']) for e in node.watches())
            print(f'    version of the first watch {first}, of what happened elsewhere {version}, '
                  f'of the second watch {second}')
            check(first < version <= second, 'the bookmark was not heeded')
            check(not agent.find('410'), agent.log)
            check(re.search('watch_restarts 1', agent.stop()), agent.log)

    # --- who may ---

    def case_token_rotates(self):
        node = Node(self.cluster, 'tokens')
        node.put('web', HERE)
        tokens = TokenFolder(self.sockflow.folder / 'projected')
        tokens.put(node.token(secret='first'))
        with self.relay() as relay, self.watched(node, relay, token_file=tokens.file) as agent:
            agent.wait_for_pods('web', '')
            # A new one before the old one is void, as it should be: nobody notices.
            tokens.put(node.token(secret='second'))
            node.revoke('first')
            time.sleep(TOKEN_CACHE_SECONDS)
            relay.cut()
            node.put('db', THERE)
            agent.wait_for_pods('web', 'db')
            check(not agent.find('HTTP 401'), agent.log)
            # None until it is noticed.
            node.revoke('second')
            time.sleep(TOKEN_CACHE_SECONDS)
            relay.cut()
            agent.wait_for(r'HTTP 401: Unauthorized; the token in \S+ is not accepted', SECONDS)
            check(agent.pods(HERE, THERE) == ('web', 'db'), 'what was known is lost')
            node.delete('db')
            node.put('cache', THERE)
            tokens.put(node.token(secret='third'))
            begin = time.monotonic()
            agent.wait_for_pods('web', 'cache')
            print(f'    names {time.monotonic() - begin:.1f} s after a good token')
            # The account is another one of the same name.
            node.delete_account()
            node.make_account('agent')
            time.sleep(TOKEN_CACHE_SECONDS)
            relay.cut()
            wait_for(lambda: [e for e in agent.lines if 'HTTP 401' in e][1:], 'a second 401')
            tokens.put(node.token())
            node.delete('cache')
            node.put('queue', THERE)
            agent.wait_for_pods('web', 'queue')
            check(re.search('api_errors [1-9]', agent.stop()), agent.log)

    def case_role_is_taken_away(self):
        node = Node(self.cluster, 'role')
        node.put('web', HERE)
        with self.relay() as relay, self.watched(node, relay) as agent:
            wait_for(node.watches, 'a watch')
            node.forbid()
            # A watch that goes on is not ended by it.
            node.put('db', THERE)
            agent.wait_for_pods('web', 'db')
            relay.cut()
            said = agent.wait_for('pods are not up to date: (HTTP 403.*)', SECONDS)[1]
            print(f'    {said}')
            check('allow the service account to list and watch pods' in said, said)
            check(agent.pods(HERE, THERE) == ('web', 'db'), 'what was known is lost')
            node.delete('db')
            node.put('cache', THERE)
            node.allow()
            begin = time.monotonic()
            agent.wait_for_pods('web', 'cache')
            print(f'    names {time.monotonic() - begin:.1f} s after it was given back')
            check(re.search('api_errors [1-9]', agent.stop()), agent.log)
        # It would have been allowed at the start as well.
        node.forbid()
        with self.relay() as relay, \
                self.watched(node, relay, ready='pods are not up to date: HTTP 403') as agent:
            check(agent.pods(HERE, THERE) == ('', ''), 'names from nowhere')
            node.allow()
            agent.wait_for_pods('web', 'cache')

    # --- the server comes and goes ---

    def case_server_is_killed(self):
        node = Node(self.cluster, 'killed')
        node.put('web', HERE)
        node.put('db', THERE)
        with self.relay() as relay, self.watched(node, relay) as agent:
            agent.wait_for_pods('web', 'db')
            # What it has missed can be told it still; or not, since a server began with what there was
            # then; or not, since etcd has it no more.
            self.kill(node, relay, agent, False, [{}])
            self.kill(node, relay, agent, True, [{}, {}])
            self.kill(node, relay, agent, True, [{'watch_cache': 'false'}])
            check(re.search('watch_restarts [1-9]', agent.stop()), agent.log)
        self.cluster.restart()

    def kill(self, node, relay, agent, forgotten, servers):
        """Kills the API server and starts it so often; the pods change after the first start."""
        seen = len(gone_lines(agent))
        with relay.barred():
            for i, flags in enumerate(servers):
                ready = self.cluster.restart(**flags)
                if i == 0:
                    node.delete('db')
                    node.put('cache', THERE)
                    self.cluster.compact()
            check(agent.pods(HERE, THERE) == ('web', 'db'), 'what was known is lost')
            before = len(node.requests())
        begin = time.monotonic()
        agent.wait_for_pods('web', 'cache')
        took = time.monotonic() - begin
        lists = [query_of(e) for e in lists_of(node.requests()[before:])]
        print(f'    {servers}: ready after {ready:.1f} s, names {took:.1f} s after it could be reached, '
              f'{len(gone_lines(agent)) - seen} x 410, {len(lists)} lists')
        check((len(gone_lines(agent)) > seen) == forgotten, agent.log)
        check(bool(lists) == forgotten, 'a list is needed if and only if the server has forgotten')
        check(all('resourceVersion' not in query for query in lists), 'a list from the memory of the server')
        node.delete('cache')
        node.put('db', THERE)
        agent.wait_for_pods('web', 'db')

    def case_many_pods(self):
        node = Node(self.cluster, 'many')
        begin = time.monotonic()
        self.cluster.all_at_once(
            lambda i: node.put(f'p{i}', f'10.{i >> 16}.{i >> 8 & 255}.{i & 255}'), range(MANY))
        node.put('web', HERE)
        print(f'    {MANY} pods made in {time.monotonic() - begin:.0f} s')
        with self.relay() as relay:
            with relay.barred():
                agent = self.watched(node, relay, ready='pods are not up to date')
            with agent:
                before, cpu, begin = memory_of(agent), cpu_seconds_of(agent), time.monotonic()
                agent.wait_for(f'kubernetes: {MANY + 1} pods known')
                print(f'    all at once: {time.monotonic() - begin:.2f} s with the wait before, '
                      f'{cpu_seconds_of(agent) - cpu:.2f} CPU-seconds, {relay.received >> 10} KiB; '
                      f'resident {before >> 20} MiB before, {memory_of(agent) >> 20} MiB after')
                agent.wait_for_pods('web', '')
                self.check_pages(node, relay, agent)
                print(f'    resident {memory_of(agent, "VmHWM") >> 20} MiB at most')
                check(memory_of(agent, 'VmHWM') - before < 100 << 20, 'more than 100 MiB')
        self.cluster.restart()

    def check_pages(self, node, relay, agent):
        """A list from the storage, in pages."""
        wait_for(node.watches, 'a watch')
        with relay.barred():
            self.cluster.restart(watch_cache='false')
            node.put('db', THERE)
            self.cluster.compact()
            before = len(node.requests())
        octets, cpu, begin = relay.received, cpu_seconds_of(agent), time.monotonic()
        agent.wait_for_pods('web', 'db')
        took = time.monotonic() - begin
        pages = wait_for(lambda: lists_of(node.requests()[before:]), 'a list')
        print(f'    from the storage: {len(pages)} pages, {took:.2f} s with the wait before, '
              f'{cpu_seconds_of(agent) - cpu:.2f} CPU-seconds, {relay.received - octets >> 10} KiB')
        check(len(pages) == (MANY + 2) // 500 + 1, f'{len(pages)} pages')
        check(gone_lines(agent), agent.log)

    def case_pages_expire(self):
        """The versions of a list are forgotten while it is read."""
        node = Node(self.cluster, 'expire')
        self.cluster.restart(watch_cache='false')
        self.cluster.all_at_once(lambda i: node.put(f'p{i}'), range(1200))
        node.put('web', HERE)
        try:
            with self.relay() as relay:
                # Within the first page.
                relay.hold_at(100_000)
                with self.watched(node, relay, ready='capture tier') as agent:
                    check(relay.wait_until_held(SECONDS), 'no list')
                    node.put('db', THERE)
                    self.cluster.compact()
                    relay.go_on()
                    agent.wait_for_pods('web', 'db')
                    told = [(e['responseStatus']['code'], 'continue' in query_of(e))
                            for e in lists_of(node.requests())]
                    print(f'    answers {[code for code, _ in told]}')
                    check(told[:2] == [(200, False), (410, True)], told)
                    check([code for code, _ in told[2:]] == [200] * 3, told)
                    agent.stop()
        finally:
            self.cluster.restart()

    # --- processes of pods ---

    def case_pods_of_processes(self):
        """Two pods with networks and cgroups of their own, on this node."""
        if not os.access(unified_hierarchy() or '/nonexistent', os.W_OK):
            print('    left out: no cgroup v2 that can be written to')
            return
        node = Node(self.cluster, 'processes')
        uids = [node.put(name)['metadata']['uid'] for name in ('front', 'back')]
        with PodNetwork(uids) as network, self.relay() as relay:
            front, back = network.pods
            node.set_status('front', front.address, front.container)
            with self.watched(node, relay, ready='kubernetes: 2 pods known') as agent:
                # Nobody can know the address of `back` yet, but its own end tells its uid.
                self.check_ends(agent, network.session(), {'front'}, {'back', ''})
                node.set_status('back', back.address, back.container)
                wait_for(lambda: agent.pods_of(network.session()) == ({'front'}, {'back'}), 'both names')
                check_no_trouble(agent)

    def check_ends(self, agent, ports, sources, destinations):
        got = agent.pods_of(ports)
        check(got == (sources, destinations), got)


if __name__ == '__main__':
    suite.run(ApiServer)
