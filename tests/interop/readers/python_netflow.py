# SPDX-License-Identifier: MIT
"""python-netflow: its collector reads fixed lengths only, its analyzer no IPFIX."""
import gzip
import ipaddress
import json
import signal

import fetch
from case import wait_until
from programs import check

PROFILES = ('fixed',)


def read_flow(flow):
    version = 4 if 'sourceIPv4Address' in flow else 6
    address = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
    seen = {side: str(address(flow[f'{side}IPv{version}Address']))
            for side in ('source', 'destination')}
    numbers = {'flow_id': 'flowId', 'event': 'firewallEvent', 'direction': 'flowDirection',
               'protocol': 'protocolIdentifier', 'flags': 'tcpControlBits',
               'source_port': 'sourceTransportPort',
               'destination_port': 'destinationTransportPort', 'reason': 'flowEndReason',
               'start': 'flowStartMilliseconds', 'end': 'flowEndMilliseconds',
               'octets': 'octetDeltaCount', 'packets': 'packetDeltaCount',
               'initiator_octets': 'initiatorOctets', 'responder_octets': 'responderOctets',
               'initiator_packets': 'initiatorPackets',
               'responder_packets': 'responderPackets'}
    texts = {'application': 'applicationName', 'user': 'userName'}
    return seen | {ours: flow.get(theirs, 0) for ours, theirs in numbers.items()} | {
        ours: flow[theirs].rstrip('\0') for ours, theirs in texts.items()}


def test(case):
    python = fetch.python_netflow(case.cache)
    shown = case.folder / 'sessions.gz'

    def flows():
        try:
            with gzip.open(shown, 'rt', encoding='utf-8') as lines:
                return [flow for line in lines for entry in json.loads(line).values()
                        for flow in entry['flows'] if 'flowId' in flow and case.is_known(
                            flow['sourceTransportPort'], flow['destinationTransportPort'])]
        except (FileNotFoundError, EOFError):  # not yet, or half of a line
            return []

    replacements = {'4739': case.port, 'sessions.gz': shown}
    with case.collector([python, *case.command('python-netflow collector', replacements)[1:],
                         '--host', '127.0.0.1']) as collector:
        case.export(case.url)
        wait_until(lambda: len(flows()) >= case.records, 'the collector writes too few records')
        collector.send_signal(signal.SIGTERM)
        collector.wait(10)
    log = (case.folder / 'log').read_text(encoding='utf-8')
    check('PaddingCalculationError' not in log and 'struct.error' not in log, log)
    known = flows()
    case.compare([read_flow(flow) for flow in known])
    case.screen(json.dumps(next(
        flow for flow in known if 'flowEndReason' in flow and flow['flowDirection'] == 1 and
        (flow['sourceTransportPort'], flow['destinationTransportPort']) == case.shown_session),
        indent=1, sort_keys=True))
    said = case.run([python, *case.command('python-netflow analyzer',
                                           {'sessions.gz': shown})[1:]])
    check(said == '', f'the analyzer of python-netflow reads IPFIX now: {said}')
