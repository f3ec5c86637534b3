# SPDX-License-Identifier: MIT
"""The rules of RFC 7011, 5103 and 5610 in live streams: each profile over each transport, with and
without loss, across 2^32, across sessions.

rules_test.py SOCKFLOW [slow | CASE...]
"""
import collections
import contextlib
import dataclasses
import json
import os
import pathlib
import socket
import ssl
import sys
import tempfile
import time
import traceback

import tls_certificates
import tls_server
from tls_server import programs
import receiver as receivers
import session_load
from ipfix_validator import VARIABLE, Violation
from rules_elements import ANTREA_PEN, NTOP_PEN, OWN, REVERSE_PEN
from rules_records import END, START
from programs import check

PROFILES = ('process', 'iana', 'fixed', 'full')
TRANSPORTS = ('udp', 'tcp', 'tls', 'dtls', 'file')
PENS = {'iana': {0}, 'fixed': {0}, 'process': {0, NTOP_PEN},
        'full': {0, NTOP_PEN, REVERSE_PEN, ANTREA_PEN}}
DOCUMENTATION_PEN = 32473
# The kernel cuts it after 15 octets, within a character.
NAME = 'aé€€€€€'
SOURCE = programs.own_address()
DOMAIN = 77
DOMAIN_NAME = 'häuschen'
REQUEST, REPLY = 321, 123
MESSAGE_OCTETS = 1400
REFRESH_SECONDS = 1
MOST_OPTIONS_LOST = 20
CLOCK_SECONDS = 0.02
# What every record of every profile holds, at its start and at its end.
ALWAYS = {4, 6, 7, 11, 60, 61, 96, 148, 152, 153, 233, 239, 371}
AT_END = ALWAYS | {1, 2, 136, 231, 232, 298, 299}


@dataclasses.dataclass
class Collector:
    """One of our collectors and what the agent is told of it."""
    profile: str
    transport: str
    receiver: object  # of receiver.py
    url: str
    settings: dict = dataclasses.field(default_factory=dict)
    server: object = None  # openssl

    @property
    def name(self):
        more = ''.join(f' {key}' for key in self.settings if key not in ('tls',))
        return f'{self.profile} over {self.transport}{more}'

    @property
    def entry(self):
        content = {} if 'fields' in self.settings else {'profile': self.profile}
        return {'url': self.url, **content, **self.settings}

    def finish(self):
        """After the agent has ended; refuses what breaks a rule."""
        if self.server:
            self.server.stop()
            check('unexpected eof' not in self.server.said, f'no close_notify: {self.server.said}')
        self.receiver.finish()


class Rules:
    def __init__(self, sockflow, folder):
        self.sockflow = sockflow
        self.folder = folder
        self.elements = receivers.read_elements(sockflow)
        self.certificates = tls_certificates.Certificates(folder)
        self.stack = contextlib.ExitStack()

    def tls_context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        mine = self.certificates.collector
        context.load_cert_chain(mine.certificate, mine.key)
        context.load_verify_locations(self.certificates.authority.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def collector(self, profile, transport, settings=None, host='127.0.0.1', max_octets=None,
                  **options):
        """Makes and opens one; options: of receiver and validator."""
        settings = dict(settings or {})
        if transport in ('udp', 'dtls'):
            max_octets = max_octets or MESSAGE_OCTETS
        max_octets = max_octets or 65535
        server = None
        if transport in ('tls', 'dtls'):
            settings['tls'] = self.certificates.of_exporter()
        if transport == 'udp':
            receiver = receivers.Receiver(self.elements, max_octets, host=host, **options)
        elif transport == 'file':
            directory = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
            receiver = receivers.FileReceiver(self.elements, directory, **options)
        elif transport == 'dtls':
            server = tls_server.Server(self.elements, 'dtls', self.certificates.collector,
                                       self.certificates.authority, max_octets=max_octets,
                                       host=host, **options)
            self.stack.enter_context(server)
            receiver = server.receiver
        else:
            tls = self.tls_context() if transport == 'tls' else None
            receiver = receivers.StreamReceiver(self.elements, max_octets, host=host, tls=tls,
                                                **options)
        if transport in ('udp', 'tcp', 'tls'):
            self.stack.enter_context(receiver)
        return Collector(profile, transport, receiver, (server or receiver).url, settings, server)

    def agent(self, collectors, source_host=None, **exporter):
        config = {'collectors': [c.entry for c in collectors],
                  'exporter': {'interval_seconds': 0, 'template_refresh_seconds': REFRESH_SECONDS,
                               'max_message_bytes': MESSAGE_OCTETS, 'observation_domain': DOMAIN,
                               'statistics_seconds': 0.5, 'reconnect_seconds': 1,
                               'domain_name': DOMAIN_NAME, **exporter}}
        if source_host:
            config['bpf'] = {'source_host': source_host}
        return self.sockflow.agent(config=json.dumps(config))

    # --- each profile over each transport ---

    def matrix(self, first_sequence=0, pen=0, profiles=PROFILES):
        rules = {'first_sequence': first_sequence, 'pen': pen, 'prompt': True}
        collectors = []
        for profile in profiles:
            for transport in TRANSPORTS:
                host = '::1' if profile in ('iana', 'full') else '127.0.0.1'
                more = {'refresh': REFRESH_SECONDS} if transport in ('udp', 'dtls') else {}
                collectors.append(self.collector(profile, transport, host=host, **rules, **more))
        for compression in ('gzip', 'zstd'):
            collectors.append(self.collector(
                profiles[0], 'file', {'file': {'compression': compression, 'max_seconds': 1}},
                **rules))
        for records in ('start', 'end'):
            collectors.append(self.collector(profiles[0], 'udp', {'records': [records]}, **rules))
        programs.name_process(NAME.encode())
        ports = set()
        held = []
        self.begin = time.time()
        with self.agent(collectors, first_sequence=first_sequence, pen=pen) as agent:
            end = time.monotonic() + 3  # statistics and templates come a few times
            while time.monotonic() < end:
                for host in ('127.0.0.1', '::1'):
                    ports.add(programs.make_session(host, REQUEST, REPLY))
                    held.append(programs.open_session(host))
                for collector in collectors:
                    collector.receiver.receive_all()  # none waits for long in its buffer
                time.sleep(0.2)
            self.end = time.time()
            agent.stop()
        open_ports = {tuple(s.getsockname()[1] for s in pair) for pair in held}
        for pair in held:
            for one in pair:
                one.close()
        mistakes = []
        for collector in collectors:
            try:
                self.judge(collector, ports, open_ports, pen)
                print(f'    {collector.name}: {self.summary(collector)}')
            except (Violation, programs.Failure) as failure:
                mistakes.append(f'{collector.name}: {failure}')
        check(not mistakes, '\n    '.join([f'{len(mistakes)} of {len(collectors)}:', *mistakes]))
        self.compare(collectors, ports | open_ports)

    @staticmethod
    def summary(collector):
        receiver, validator = collector.receiver, collector.receiver.validator
        return (f'{validator.messages} messages, {len(receiver.records)} + '
                f'{len(validator.options)} records, {validator.sessions} sessions')

    def judge(self, collector, ports, open_ports, pen):
        collector.finish()
        receiver, validator = collector.receiver, collector.receiver.validator
        wanted = collector.settings.get('records', ['start', 'end'])
        # Both sockets of a session are told of.
        expected = collections.Counter()
        for event, word in ((START, 'start'), (END, 'end')):
            if word in wanted:
                expected.update({(p, direction, event): 1 for p in ports for direction in (0, 1)})
        if 'start' in wanted:
            expected.update({(p, direction, START): 1 for p in open_ports for direction in (0, 1)})
        ours = [r for r in receiver.records if (r.number(7), r.number(11)) in ports | open_ports]
        came = collections.Counter(((r.number(7), r.number(11)), r.number(61), r.number(233))
                                   for r in ours)
        check(came == expected, f'{sum(came.values())} records of {sum(expected.values())}: '
              f'missing {list((expected - came).items())[:3]}, '
              f'more {list((came - expected).items())[:3]}')
        for record in ours:
            least = ALWAYS if record.number(233) == START else AT_END
            missing = least - {id for pen_, id in record.values if pen_ == 0}
            check(not missing, f'elements {missing} are missing')
            self.check_values(record, collector.profile)
        self.judge_templates(collector, pen)
        statistics = validator.statistics
        check(statistics.exporting and statistics.metering, 'no statistics')
        check(statistics.exporting[166] == 0, f'not sent: {statistics.exporting[166]}')
        check(validator.domain_names == {DOMAIN: DOMAIN_NAME}, f'{validator.domain_names}')
        domains = {domain for domain, _ in validator.templates}
        check(domains == {0, DOMAIN}, f'domains {domains}')

    def check_values(self, record, profile):
        version = record.number(60)
        family, ids = (socket.AF_INET, (8, 12)) if version == 4 else (socket.AF_INET6, (27, 28))
        addresses = {socket.inet_ntop(family, record.values[0, id]) for id in ids}
        check(addresses == {'127.0.0.1' if version == 4 else '::1'}, f'addresses {addresses}')
        first, last = record.number(152) / 1000, record.number(153) / 1000
        check(self.begin - CLOCK_SECONDS <= first <= last <= self.end + CLOCK_SECONDS,
              f'{first} to {last} is not within {self.begin} to {self.end}')
        # Cut to whole characters.
        owner = record.text(96), record.text(371)
        check(owner == (NAME[:6], 'root'), f'owner {owner}')
        if record.number(233) == END:
            octets = record.number(231), record.number(232)
            check(octets == (REQUEST, REPLY), f'octets {octets}')
        if NTOP_PEN in PENS[profile]:
            pid, name = (168, 169) if record.number(61) == 1 else (375, 376)
            process = record.number(pid, NTOP_PEN), record.text(name, NTOP_PEN)
            check(process == (os.getpid(), NAME[:6]), f'process {process}')

    @staticmethod
    def judge_templates(collector, pen):
        templates = collector.receiver.validator.templates.values()
        pens = {f.pen for fields in templates for f in fields}
        allowed = PENS[collector.profile] | ({pen} if pen else set())
        check(pens <= allowed and pens >= PENS[collector.profile] - {ANTREA_PEN},
              f'enterprises {pens}, expected {allowed}')
        if collector.profile == 'full' and pen:
            check(pen in pens, f'no element of our own: {pens}')
        if collector.profile == 'fixed':
            check(not any(f.length == VARIABLE for fields in templates for f in fields),
                  'fields of variable length')

    @staticmethod
    def compare(collectors, ports):
        """All collectors were told the same."""
        def essence(collector):
            return {(r.number(148), r.number(233)): tuple(r.number(i) for i in (152, 153, 231, 232))
                    for r in collector.receiver.records if (r.number(7), r.number(11)) in ports}
        whole = [c for c in collectors if 'records' not in c.settings]
        first = essence(whole[0])
        for other in whole[1:]:
            check(essence(other) == first, f'{other.name} differs from {whole[0].name}')

    def case_profiles(self):
        self.matrix()

    def case_wrap_and_own_elements(self):
        # Seven records later, or less, the sequence is 0 again, in each domain.
        self.matrix(2**32 - 2, DOCUMENTATION_PEN, ('full', 'fixed'))

    # --- limits ---

    def case_short_messages(self):
        """The shortest that can be configured, templates again after a few, few records in each."""
        octets, packets, records = 512, 5, 1
        collectors = [self.collector(profile, transport, max_octets=octets,
                                     **({'refresh': 3600, 'refresh_packets': packets}
                                        if transport == 'udp' else {}))
                      for profile in PROFILES for transport in ('udp', 'tcp')]
        ports = set()
        with self.agent(collectors, SOURCE, max_message_bytes=octets, chunk_size=records,
                        template_refresh_seconds=3600, template_refresh_packets=packets,
                        interval_seconds=0.2) as agent:
            for _ in range(20):
                ports.add(programs.make_session(source=SOURCE))
            agent.stop()
        for collector in collectors:
            collector.finish()
            came = len(collector.receiver.records)
            check(came == 4 * len(ports), f'{collector.name}: {came} records of {4 * len(ports)}')
            most = max(len(r) for _, r in collector.receiver.messages)
            check(most == records, f'{collector.name}: {most} records in a message')
            longest = max(len(m) for m, _ in collector.receiver.messages)
            print(f'    {collector.name}: {self.summary(collector)}, longest {longest}')

    # --- lists of one's own ---

    def case_fields(self):
        """Records hold what is listed, in this order."""
        lists = (
            ['sourceIPv4Address', 'destinationIPv4Address', 'sourceIPv6Address',
             'destinationIPv6Address', 'destinationTransportPort', 'sourceTransportPort',
             'firewallEvent', 'flowId', 'applicationName'],
            ['flowId', 'firewallEvent', 'sourceTransportPort', 'destinationTransportPort',
             *(e.name for (pen, _), e in self.elements.items() if pen in (NTOP_PEN, OWN))])
        collectors = [self.collector('process', transport, {'fields': names},
                                     pen=DOCUMENTATION_PEN)
                      for names in lists for transport in ('udp', 'tcp', 'file')]
        ports = set()
        with self.agent(collectors, pen=DOCUMENTATION_PEN) as agent:
            for host in ('127.0.0.1', '::1') * 3:
                ports.add(programs.make_session(host, REQUEST, REPLY))
            agent.stop()
        for collector in collectors:
            collector.finish()
            receiver, wanted = collector.receiver, collector.settings['fields']
            validator = receiver.validator
            ours = [r for r in receiver.records if (r.number(7), r.number(11)) in ports]
            check(len(ours) == 4 * len(ports),
                  f'{collector.name}: {len(ours)} records of {4 * len(ports)}')
            for record in ours:
                names = [validator.elements[key].name for key, _, _ in record.fields]
                # Of each record those that it can have: addresses of one version, counters at its end.
                places = [wanted.index(name) for name in names]
                check(places == sorted(places), f'{collector.name}: {names} for {wanted}')
                listed = {wanted.index(e.name) for (pen, id), e in validator.elements.items()
                          if e.name in wanted and pen == 0 and id not in (8, 12, 27, 28)}
                check(listed <= set(places), f'{collector.name}: {names} for {wanted}')
            print(f'    {len(wanted)} fields over {collector.transport}: '
                  f'{self.summary(collector)}')

    # --- loss ---

    def case_loss(self):
        self.loss('process', ('tcp',), 5500)

    def slow_loss(self):
        self.loss('full', ('tcp', 'tls'), 12000)

    def loss(self, profile, streams, sessions):
        """Receivers that do not read for a while: what is missing by sequence number and what the
        exporter tells is what was made and did not come."""
        per_second = 4000
        small = {'receive_buffer': 8192, 'may_lose': True, 'max_octets': 65535}
        slow = [self.collector(profile, transport, **small) for transport in streams]
        udp = self.collector('iana', 'udp', receive_buffer=8192, may_lose=True)
        dead = self.collector(profile, 'tcp', may_lose=True)
        dead.receiver.die()
        collectors = [*slow, udp, dead]
        with self.agent(collectors, SOURCE, queue_bytes=65536, shutdown_seconds=5) as agent:
            for collector in slow:
                collector.receiver.wait_for_session(1)
            udp.receiver.receive(5)
            for collector in slow:
                collector.receiver.reading.clear()
            with session_load.Load(sessions, per_second, SOURCE) as load:
                made = load.records
                rate = load.join()
            # What is on its way in the agent.
            time.sleep(0.5)
            dead.receiver.listen()
            for collector in slow:
                collector.receiver.reading.set()
            udp.receiver.receive_all()
            dead.receiver.wait_for_session(1)
            time.sleep(1.5)  # statistics come
            udp.receiver.receive_all()
            programs.make_session(source=SOURCE)  # after a loss at the end its gap can be seen
            made += session_load.RECORDS
            agent.stop()
        print(f'    {rate:.0f} sessions/s')
        for collector in collectors:
            collector.finish()
            validator = collector.receiver.validator
            received, lost = len(collector.receiver.records), validator.lost[DOMAIN]
            not_sent = validator.statistics.exporting[166]
            print(f'    {collector.name}: {received} came, {lost} missing by sequence, {not_sent} '
                  f'not sent, of {made}')
            check(max(lost, not_sent) > 0, f'{collector.name}: nothing was lost')
            if collector is udp:
                # What came to the collector's socket and found no room there.
                more = received + lost - made
            else:
                validator.statistics.check_complete(made)
                more = lost - not_sent
            # A gap is also left by records of options, which are no flows.
            check(0 <= more <= MOST_OPTIONS_LOST or collector is dead,
                  f'{collector.name}: {received} came and {lost} are missing of {made}')

    # --- sessions ---

    def case_reconnect(self):
        self.reconnect(0)

    def case_reconnect_and_wrap(self):
        self.reconnect(2**32 - 2)

    def reconnect(self, first_sequence):
        collectors = [self.collector('process', transport, first_sequence=first_sequence)
                      for transport in ('tcp', 'tls')]
        ports = set()
        with self.agent(collectors, SOURCE, reconnect_seconds=0.2,
                        first_sequence=first_sequence) as agent:
            for how in ('close', 'reset', 'die', None):
                for collector in collectors:
                    collector.receiver.wait_for_session(len(collector.receiver.sessions) or 1)
                before = [len(c.receiver.sessions) for c in collectors]
                for _ in range(5):
                    ports.add(programs.make_session(source=SOURCE))
                for collector in collectors:
                    collector.receiver.wait_for_records(4 * len(ports))
                if how is None:
                    break
                for collector in collectors:
                    getattr(collector.receiver, how)()
                    if how == 'die':
                        collector.receiver.listen()
                for collector, count in zip(collectors, before):
                    collector.receiver.wait_for_session(count + 1)
            agent.stop()
        for collector in collectors:
            collector.finish()
            came = {(r.number(148), r.number(233)) for r in collector.receiver.records}
            validator = collector.receiver.validator
            print(f'    {collector.name}: {self.summary(collector)}, {validator.flows.repeated} '
                  'records twice')
            check(len(came) == 4 * len(ports), f'{len(came)} records of {4 * len(ports)}')
            check(validator.sessions >= 4, f'{validator.sessions} sessions')


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        sockflow = programs.Sockflow(sys.argv[1], folder)
        sockflow.skip_unless_it_captures()
        rules = Rules(sockflow, folder)
        names = programs.chosen_cases(rules, sys.argv[2:])
        for name in names:
            begin = time.monotonic()
            try:
                with contextlib.ExitStack() as rules.stack:
                    getattr(rules, name)()
                result = 'ok'
            except (programs.Failure, Violation, OSError) as failure:
                result = f'FAILED: {failure}'
                if isinstance(failure, OSError):
                    traceback.print_exc()
                failed += 1
            print(f'{name}: {result}, {time.monotonic() - begin:.1f} s', flush=True)
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
