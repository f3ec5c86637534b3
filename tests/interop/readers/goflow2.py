# SPDX-License-Identifier: MIT
"""goflow2 with our mapping of element numbers to its JSON."""
import json
import signal

import fetch
from case import wait_until

PROFILES = ('process', 'iana')


def read_flow(flow, profile):
    seen = {'source': flow['src_addr'], 'destination': flow['dst_addr'],
            'source_port': flow['src_port'], 'destination_port': flow['dst_port'],
            'flags': flow['tcp_flags'], 'octets': flow['bytes'], 'packets': flow['packets'],
            'start': flow['time_flow_start_ns'] // 10**6,
            'end': flow['time_flow_end_ns'] // 10**6,
            'event': flow['event'], 'direction': flow['flow_direction'],
            'flow_id': flow['flow_id'], 'application': flow['application'], 'user': flow['user']}
    # What a record does not have, the JSON leaves out.
    seen |= {name: flow.get(name, 0) for name in ('initiator_octets', 'responder_octets',
                                                  'initiator_packets', 'responder_packets')}
    seen['reason'] = flow.get('end_reason', 0)
    if profile == 'process':
        for side, prefix in (('source', 'src'), ('destination', 'dst')):
            seen |= {f'{side}_{name}': flow.get(f'{prefix}_{name}', 0) for name in
                     ('pid', 'uid', 'parent_pid')}
            seen |= {f'{side}_{name}': flow.get(f'{prefix}_{field}', '') for name, field in {
                'process': 'process', 'owner': 'user', 'executable': 'executable',
                'parent': 'parent_process'}.items()}
    return seen


def test(case):
    goflow2 = fetch.goflow2(case.cache)
    mapping = case.document.path.with_name('goflow2-mapping.yaml')
    shown = case.folder / 'sessions.json'
    command = case.command('goflow2', {':4739': f'127.0.0.1:{case.port}',
                                       'goflow2-mapping.yaml': mapping,
                                       '/var/log/sessions.json': shown})
    with case.collector([goflow2, *command[1:], '-addr', '127.0.0.1:0']) as collector:
        case.export(case.url)

        def known():
            lines = shown.read_text(encoding='utf-8').splitlines() if shown.exists() else []
            return [line for line in lines if line.endswith('}') and case.is_known(
                json.loads(line)['src_port'], json.loads(line)['dst_port'])]

        wait_until(lambda: len(known()) >= case.records, 'goflow2 writes too few records')
        case.stop(collector, signal.SIGTERM)
    case.compare([read_flow(json.loads(line), case.profile) for line in known()])
    if case.profile == PROFILES[0]:
        client, server = case.shown_session
        case.screen('\n'.join(sorted(
            (line for line in known() if f'"src_port":{client},"dst_port":{server},' in line
             and '"flow_direction":1,' in line), key=lambda line: json.loads(line)['event'])))
