# SPDX-License-Identifier: MIT
"""Makes capture files of packets in text form, one a line:

    0.000 10.0.0.1:1000 > 10.0.0.2:80 S seq 100
    0.001 10.0.0.2:80 > 10.0.0.1:1000 SA seq 500 ack 101
    0.010 [2001:db8::1]:1000 > [2001:db8::2]:80 FA seq 101 ack 501 len 3 vlan 7

    0.020 10.0.0.1:1000 > 10.0.0.2:80 A seq 101 ack 501 len 8 first

Times are seconds after BEGIN. Flags are letters of FSRPA. "first" and "later" are fragments of an IP
packet: a later one has what is said only as what looks like a TCP header. Lines with # are comments.
"""
import ipaddress
import re
import struct

BEGIN = 1_700_000_000
FLAGS = {'F': 1, 'S': 2, 'R': 4, 'P': 8, 'A': 16}
LINE = re.compile(
    r'(?P<time>[\d.]+) (?P<source>\S+):(?P<sport>\d+) > (?P<destination>\S+):(?P<dport>\d+) '
    r'(?P<flags>[FSRPA]+) seq (?P<seq>\d+)(?: ack (?P<ack>\d+))?(?: len (?P<len>\d+))?'
    r'(?: (?P<fragment>first|later))?(?: vlan (?P<vlan>[\d,]+))?$')
# Offset in 8 octets, and whether there are more.
FRAGMENTS = {None: (0, False), 'first': (0, True), 'later': (4, False)}
ETHERNET, RAW, NULL, SLL, SLL2 = 1, 101, 0, 113, 276


def read(text):
    packets = []
    for line in text.splitlines():
        line = line.split('#')[0].strip()
        if not line:
            continue
        match = LINE.match(line)
        if not match:
            raise ValueError(f'no packet: {line}')
        packets.append(match.groupdict())
    return packets


def ip_packet(packet):
    source = ipaddress.ip_address(packet['source'].strip('[]'))
    destination = ipaddress.ip_address(packet['destination'].strip('[]'))
    payload = b'x' * int(packet['len'] or 0)
    tcp = struct.pack('!HHIIBBHHH', int(packet['sport']), int(packet['dport']), int(packet['seq']),
                      int(packet['ack'] or 0), 5 << 4, sum(FLAGS[f] for f in packet['flags']),
                      65535, 0, 0) + payload
    offset, more = FRAGMENTS[packet['fragment']]
    ends = source.packed + destination.packed
    if source.version == 4:
        fragment = offset | more << 13
        header = struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(tcp), 0, fragment, 64, 6, 0)
    elif not packet['fragment']:
        header = struct.pack('!IHBB', 6 << 28, len(tcp), 6, 64)
    else:
        header = struct.pack('!IHBB', 6 << 28, 8 + len(tcp), 44, 64)
        ends += struct.pack('!BBHI', 6, 0, offset << 3 | more, 0)
    return source.version, header + ends + tcp


def frame(packet, link_type):
    version, octets = ip_packet(packet)
    ether_type = 0x0800 if version == 4 else 0x86dd
    if link_type == ETHERNET:
        tags = b''.join(struct.pack('!HH', 0x8100, int(tag))
                        for tag in (packet['vlan'] or '').split(',') if tag)
        return bytes(12) + tags + struct.pack('!H', ether_type) + octets
    if link_type == NULL:
        return struct.pack('<I', 2 if version == 4 else 30) + octets
    if link_type == SLL:
        return struct.pack('!HHH8sH', 0, 1, 6, bytes(8), ether_type) + octets
    if link_type == SLL2:
        return struct.pack('!HHIHBB8s', ether_type, 0, 2, 1, 0, 6, bytes(8)) + octets
    return octets


def nanoseconds(packet):
    seconds, _, fraction = packet['time'].partition('.')
    return (BEGIN + int(seconds)) * 10**9 + int(fraction.ljust(9, '0')[:9] or 0)


def pcap(packets, link_type=ETHERNET, order='<', snap_length=262144):
    """A pcap file with nanoseconds."""
    out = [struct.pack(order + 'IHHiIII', 0xa1b23c4d, 2, 4, 0, 0, snap_length, link_type)]
    for packet in packets:
        octets = frame(packet, link_type)
        kept = octets[:snap_length]
        seconds, rest = divmod(nanoseconds(packet), 10**9)
        out += [struct.pack(order + 'IIII', seconds, rest, len(kept), len(octets)), kept]
    return b''.join(out)


def pcapng(packets, link_types=(ETHERNET, RAW), order='<'):
    """A pcapng file whose connections take turns on interfaces of these link types, with nanoseconds."""
    def block(kind, body):
        body += b'\0' * (-len(body) % 4)
        length = struct.pack(order + 'I', len(body) + 12)
        return struct.pack(order + 'I', kind) + length + body + length
    out = block(0x0a0d0d0a, struct.pack(order + 'IHHq', 0x1a2b3c4d, 1, 0, -1))
    for link_type in link_types:
        if_tsresol = struct.pack(order + 'HHB3xHH', 9, 1, 9, 0, 0)
        out += block(1, struct.pack(order + 'HHI', link_type, 0, 0) + if_tsresol)
    for packet in packets:
        i = (int(packet['sport']) + int(packet['dport'])) % len(link_types)
        octets = frame(packet, link_types[i])
        high, low = divmod(nanoseconds(packet), 1 << 32)
        out += block(6, struct.pack(order + 'IIIII', i, high, low, len(octets),
                                    len(octets)) + octets)
    return out
