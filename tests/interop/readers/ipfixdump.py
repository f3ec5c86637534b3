# SPDX-License-Identifier: MIT
"""libfixbuf's ipfixDump, which names our enterprise elements after our own records of them."""
import ipaddress
import re

import fetch
from case import SMALLEST_HEADERS, milliseconds
from programs import check

PROFILES = ('process', 'iana', 'full')
NUMBERS = {'flowId': 'flow_id', 'firewallEvent': 'event', 'flowDirection': 'direction',
           'protocolIdentifier': 'protocol', 'tcpControlBits': 'flags',
           'sourceTransportPort': 'source_port', 'destinationTransportPort': 'destination_port',
           'flowEndReason': 'reason', 'octetDeltaCount': 'octets', 'packetDeltaCount': 'packets',
           'initiatorOctets': 'initiator_octets', 'responderOctets': 'responder_octets',
           'initiatorPackets': 'initiator_packets', 'responderPackets': 'responder_packets'}
NTOP_NUMBERS = {'SRC_PROC_PID': 'source_pid', 'DST_PROC_PID': 'destination_pid',
                'SRC_PROC_UID': 'source_uid', 'DST_PROC_UID': 'destination_uid',
                'SRC_FATHER_PROC_PID': 'source_parent_pid',
                'DST_FATHER_PROC_PID': 'destination_parent_pid'}
NTOP_TEXTS = {'SRC_PROC_NAME': 'source_process', 'DST_PROC_NAME': 'destination_process',
              'SRC_PROC_USER_NAME': 'source_owner', 'DST_PROC_USER_NAME': 'destination_owner',
              'SRC_PROC_PKG_NAME': 'source_executable',
              'DST_PROC_PKG_NAME': 'destination_executable',
              'SRC_FATHER_PROC_NAME': 'source_parent',
              'DST_FATHER_PROC_NAME': 'destination_parent'}

ANTREA_TEXTS = ('sourcePodName', 'sourcePodNamespace', 'sourceNodeName', 'destinationPodName',
                'destinationPodNamespace', 'destinationNodeName')


def read_record(fields, profile):
    def text(name):
        return re.sub(r'^\(len: \d+\) ?', '', fields.get(name, ''))

    version = 4 if 'sourceIPv4Address' in fields else 6
    # Its IPv6 addresses have all their zeros.
    seen = {side: str(ipaddress.ip_address(fields[f'{side}IPv{version}Address']))
            for side in ('source', 'destination')}
    seen |= {'application': text('applicationName'), 'user': text('userName'),
            **{ours: milliseconds(fields[theirs], '%Y-%m-%d %H:%M:%S.%f')
               for theirs, ours in (('flowStartMilliseconds', 'start'),
                                    ('flowEndMilliseconds', 'end'))}}
    numbers = NUMBERS
    if profile != 'iana':
        numbers = NUMBERS | NTOP_NUMBERS
        seen |= {ours: text(theirs) for theirs, ours in NTOP_TEXTS.items()}
    if profile == 'full':
        check(all(name in fields for name in ANTREA_TEXTS), f'no {ANTREA_TEXTS} in {fields}')
        # Computed: the payload, and headers of each packet.
        packets = int(fields.get('reversePacketDeltaCount', 0))
        octets = int(fields.get('reverseOctetDeltaCount', 0))
        least = int(fields.get('responderOctets', 0)) + packets * SMALLEST_HEADERS[version] if packets else 0
        check(least <= octets <= 2 * least, f'{octets} octets in {packets} packets come back')
        check(packets == int(fields.get('responderPackets', 0)), f'{packets} packets come back')
    return seen | {ours: int(fields.get(theirs, 0)) for theirs, ours in numbers.items()}


def test(case):
    fetch.need('ipfixDump', 'libfixbuf-tools')
    exported = case.export()
    # The messages one after another are an IPFIX file (RFC 5655).
    capture = case.folder / 'sockflow.ipfix'
    capture.write_bytes(b''.join(exported.messages))
    shown = case.run([*case.command('ipfixdump', {'sockflow.ipfix': capture}), '-d'])
    blocks = re.split(r'(?m)^--- ', shown)
    known = []
    for block in blocks:
        if not block.startswith('data record'):
            continue
        fields = dict(re.findall(r'(?m)^\s+\([\d/]+\)\s+(\S+) : (.*)$', block))
        if 'flowId' in fields and case.is_known(fields['sourceTransportPort'],
                                                fields['destinationTransportPort']):
            check('_alienInformationElement' not in fields,
                  'a name of ours is not applied: "alien" in\n' + block)
            known.append((read_record(fields, case.profile), block))
    case.compare([seen for seen, _ in known])
    if case.profile == PROFILES[0]:
        case.screen(next(f'--- {block}' for seen, block in known
                         if (seen['source_port'], seen['destination_port']) == case.shown_session
                         and seen['direction'] == 1 and seen['reason']))
