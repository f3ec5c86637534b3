# SPDX-License-Identifier: MIT
"""pmacct's collector, which learns of our elements by its primitives."""
import json
import signal

import fetch
from case import milliseconds, wait_until

PROFILES = ('process', 'fixed')
FORM = '%Y-%m-%d %H:%M:%S.%f'


def read_flow(flow, profile):
    seen = {'source': flow['ip_src'], 'destination': flow['ip_dst'],
            'source_port': flow['port_src'], 'destination_port': flow['port_dst'],
            'flags': int(flow['tcp_flags']), 'octets': flow.get('bytes', 0),
            'packets': flow.get('packets', 0),
            **{name: int(flow[name]) for name in ('flow_id', 'event', 'direction',
                                                  'initiator_octets', 'responder_octets')},
            'start': milliseconds(flow['timestamp_start'], FORM),
            'end': milliseconds(flow['timestamp_end'], FORM)}
    if profile == 'process':
        for side in ('source', 'destination'):
            seen |= {f'{side}_pid': int(flow[f'{side}_pid']),
                     f'{side}_process': flow[f'{side}_process'],
                     f'{side}_owner': flow[f'{side}_user'],
                     f'{side}_executable': flow[f'{side}_executable']}
    elif profile == 'fixed':
        seen |= {'application': flow['application'], 'user': flow['user']}
    return seen


def test(case):
    fetch.need('nfacctd', 'pmacct')
    shown = case.folder / 'sessions.json'
    configuration = case.file('nfacctd.conf', {
        'nfacctd_port: 4739': f'nfacctd_port: {case.port}\nnfacctd_ip: 127.0.0.1',
        '/var/lib/pmacct/sessions.json': shown,
        '/etc/pmacct/primitives.lst': case.file('primitives.lst'),
        'print_refresh_time: 60': 'print_refresh_time: 1'})
    with case.collector(case.command('nfacctd', {'/etc/pmacct/nfacctd.conf': configuration})
                        ) as nfacctd:
        # What comes before its plugin is there is lost.
        log = case.folder / 'log'
        wait_until(lambda: 'JSON: setting object handlers' in log.read_text(encoding='utf-8'),
                   'nfacctd has no plugin')
        case.export(case.url)

        def known():
            lines = shown.read_text(encoding='utf-8').splitlines() if shown.exists() else []
            return [line for line in lines if line.endswith('}') and case.is_known(
                json.loads(line)['port_src'], json.loads(line)['port_dst'])]

        wait_until(lambda: len(known()) >= case.records, 'nfacctd writes too few records')
        case.stop(nfacctd, signal.SIGINT)
    case.compare([read_flow(json.loads(line), case.profile) for line in known()])
    if case.profile == PROFILES[0]:
        client, server = case.shown_session
        case.screen('\n'.join(sorted(line for line in known() if f'"port_src": {client}, '
                                     f'"port_dst": {server}' in line and '"direction": "1"' in line)))
