# SPDX-License-Identifier: MIT
"""Wireshark's dissector, on a capture of the export."""
import json
import os
import re

import export
import fetch
from case import milliseconds
from programs import check

PROFILES = ('process', 'iana')
CAPTURE = 'sockflow.pcap'


def find_all(node, wanted):
    """Every object in the JSON for which `wanted` holds."""
    if isinstance(node, dict):
        if wanted(node):
            yield node
        for value in node.values():
            yield from find_all(value, wanted)
    elif isinstance(node, list):
        for value in node:
            yield from find_all(value, wanted)


def time_of(text):
    # "Nov 21, 2026 10:35:50.111000000 UTC"; strptime knows six digits of a second.
    return milliseconds(text[:-len('000 UTC')], '%b %d, %Y %H:%M:%S.%f')


def read_flow(flow, profile):
    version = flow['cflow.ip_version']
    suffix = '' if version == '4' else 'v6'
    seen = {'source': flow[f'cflow.srcaddr{suffix}'], 'destination': flow[f'cflow.dstaddr{suffix}'],
            'application': flow['cflow.appl_name'], 'user': flow['cflow.user_name'],
            'start': time_of(flow['cflow.timedelta_tree']['cflow.abstimestart']),
            'end': time_of(flow['cflow.timedelta_tree']['cflow.abstimeend'])}
    numbers = {'flow_id': 'flow_id', 'event': 'firewall_event', 'direction': 'direction',
               'protocol': 'protocol', 'source_port': 'srcport', 'destination_port': 'dstport',
               'reason': 'flow_end_reason', 'initiator_octets': 'initiator_octets',
               'responder_octets': 'responder_octets', 'octets': 'octets', 'packets': 'packets',
               'initiator_packets': 'initiator_packets', 'flags': 'tcpflags',
               'responder_packets': 'responder_packets'}
    if profile == 'process':
        ntop = {'source': ('src_proc_id', 'src_proc_uid', 'src'),
                'destination': ('dst_proc_pid', 'dst_proc_uid', 'dst')}
        for side, (pid, uid, prefix) in ntop.items():
            numbers |= {f'{side}_pid': f'pie.ntop.{pid}', f'{side}_uid': f'pie.ntop.{uid}',
                        f'{side}_parent_pid': f'pie.ntop.{prefix}_father_proc_pid'}
            seen |= {f'{side}_process': flow.get(f'cflow.pie.ntop.{prefix}_proc_name', ''),
                     f'{side}_owner': flow.get(f'cflow.pie.ntop.{prefix}_proc_user_name', ''),
                     f'{side}_parent': flow.get(f'cflow.pie.ntop.{prefix}_father_proc_name', ''),
                     f'{side}_executable': ''}
        # The last of the elements that it shows by number.
        side = 'source' if flow['cflow.direction'] == '1' else 'destination'
        octets = flow['cflow.enterprise_private_entry']
        octets = octets[-1] if isinstance(octets, list) else octets
        seen[f'{side}_executable'] = bytes.fromhex(octets.replace(':', '')).decode()
    return seen | {name: int(flow.get(f'cflow.{field}', '0'), 0)
                   for name, field in numbers.items()}


def check_capture(case, transport, packets_expected=None):
    """The capture is in place."""
    environment = {**os.environ, 'TZ': 'UTC', 'LC_ALL': 'C.UTF-8'}
    command = case.command(case.name, {'4739': case.port})
    # Else the second of two messages in a segment takes the first one's place.
    packets = json.loads(case.run([*command, '-T', 'json', '--no-duplicate-keys'],
                                  env=environment))
    check(packets_expected in (None, len(packets)), f'{len(packets)} packets of {transport}')
    for word in ('_ws.malformed', '_ws.expert'):
        bad = list(find_all(packets, lambda node: word in node))
        check(not bad, f'{word}: {bad[:1]}')
    shown = case.run([*command, '-V'], env=environment)
    for word in ('No template found', 'Malformed', 'Expert Info'):
        check(word not in shown, f'tshark says "{word}"')
    for word in ('Flow created (1)', 'Flow deleted (2)'):
        check(shown.count(word) >= 4, f'tshark says "{word}" {shown.count(word)} times')
    templates = list(find_all(packets, lambda node: 'cflow.template_id' in node))
    check(len(templates) >= 4, f'{len(templates)} templates')
    case.compare([read_flow(flow, case.profile)
                  for flow in find_all(packets, lambda node: 'cflow.flow_id' in node)
                  if case.is_known(flow['cflow.srcport'], flow['cflow.dstport'])])
    return shown


def one_record(case, shown):
    """The end of the session at the side that opened it."""
    client, server = case.shown_session
    # A record begins with "Flow N" and ends where the lines are indented less again.
    for record in re.findall(r'(?m)^( +)(Flow \d+\n(?:\1 .*\n)+)', shown):
        lines = re.sub(f'(?m)^{record[0]}', '', record[1])
        if all(word in lines for word in (f'SrcPort: {client} ', f'DstPort: {server} ',
                                          'Flow deleted', 'Direction: Egress')):
            # The id of the container that the tests run in, if in one.
            return re.sub(r'(?m)^.*\(ntop\) Type 55[89]: .*\n.*String_len.*\n', '', lines)
    return ''


def test(case):
    fetch.need('tshark', 'tshark')
    exported = case.export()
    case.port = exported.port
    export.write_pcap(exported, case.folder / CAPTURE)
    shown = check_capture(case, 'UDP', len(exported.messages))
    if case.profile == 'process':
        case.screen(one_record(case, shown))
