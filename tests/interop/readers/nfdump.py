# SPDX-License-Identifier: MIT
"""nfcapd stores, nfdump shows; it knows neither names nor events."""
import json
import os
import signal

import fetch
from case import milliseconds
from programs import check

PROFILES = ('process', 'iana', 'full')
FLAGS = '..UAPRSF'


def read_flow(flow):
    version = 4 if 'src4_addr' in flow else 6
    return {'source': flow[f'src{version}_addr'], 'destination': flow[f'dst{version}_addr'],
            'protocol': flow['proto'], 'source_port': flow['src_port'],
            'destination_port': flow['dst_port'], 'direction': flow['direction'],
            'flags': sum(1 << bit for bit, (shown, letter) in
                         enumerate(zip(reversed(flow['tcp_flags']), reversed(FLAGS)))
                         if shown == letter != '.'),
            'octets': flow['in_bytes'], 'packets': flow['in_packets'],
            'start': milliseconds(flow['first'], '%Y-%m-%dT%H:%M:%S.%f'),
            'end': milliseconds(flow['last'], '%Y-%m-%dT%H:%M:%S.%f')}


def test(case):
    fetch.need('nfcapd', 'nfdump')
    fetch.need('nfdump', 'nfdump')
    folder = case.folder / 'flows'
    folder.mkdir()
    where = {'/var/cache/nfdump': folder}
    with case.collector([*case.command('nfcapd', {'4739': case.port, **where}),
                         '-b', '127.0.0.1']) as nfcapd:
        case.export(case.url)
        case.wait_until_read()
        case.stop(nfcapd, signal.SIGTERM)
    log = (case.folder / 'log').read_text(encoding='utf-8')
    check('Sequence Errors: 0, Bad Packets: 0' in log, f'nfcapd says:\n{log}')
    environment = {**os.environ, 'TZ': 'UTC'}
    show = case.command('nfdump', where)
    flows = json.loads(case.run([*show, '-o', 'json'], env=environment))
    case.compare([read_flow(flow) for flow in flows
                  if case.is_known(flow['src_port'], flow['dst_port'])])
    if case.profile == PROFILES[0]:
        client, server = case.shown_session
        table = case.run([*show, f'src port {client} and dst port {server}'], env=environment)
        case.screen(table.partition('Summary:')[0])
