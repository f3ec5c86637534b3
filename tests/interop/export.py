# SPDX-License-Identifier: MIT
"""An export stream of known sessions, for other programs to read."""
import dataclasses
import pathlib
import socket
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'e2e'))
import programs  # noqa: E402
from receiver import Receiver, ipfix_validator, read_elements  # noqa: E402,F401

PROCESS_NAME = 'interop-proc'
REQUEST, REPLY = 12345, 6789
PCAP_MAGIC, LINKTYPE_RAW = 0xa1b2c3d4, 101


@dataclasses.dataclass
class Export:
    profile: str
    port: int       # of the collector
    messages: list  # octets
    records: list   # of the known sessions only, as ipfix_validator reads them
    begin: float    # seconds since 1970
    end: float


def known_sessions():
    """One over IPv4 and one over IPv6; returns the ports (client, server) of each."""
    return [programs.make_session(host, REQUEST, REPLY) for host in ('127.0.0.1', '::1')]


def export(sockflow, profile):
    """Runs the agent while this process makes the known sessions."""
    programs.name_process(PROCESS_NAME.encode())
    with Receiver(read_elements(sockflow), 1400) as receiver, \
            sockflow.agent('--collector', receiver.url, '--profile', profile) as agent:
        begin = time.time()
        ports = known_sessions()
        agent.stop()
        end = time.time()
        receiver.receive_all()  # Violation unless each rule is kept
        port = receiver.socket.getsockname()[1]
    # Other traffic of the machine is in the stream too.
    records = [r for r in receiver.records if (r.number(7), r.number(11)) in ports]
    programs.check(len(records) == 8, f'{len(records)} records of 4 sockets')
    return Export(profile, port, [m for m, _ in receiver.messages], records, begin, end)


def write_pcap(exported, path):
    """The datagrams as a capture of raw IP packets."""
    with open(path, 'wb') as pcap:
        pcap.write(struct.pack('!IHHiIII', PCAP_MAGIC, 2, 4, 0, 0, 65535, LINKTYPE_RAW))
        for message in exported.messages:
            udp = struct.pack('!HHHH', 40000, exported.port, len(message) + 8, 0) + message
            loopback = socket.inet_aton('127.0.0.1')
            ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, len(udp) + 20, 0, 0, 64,
                             socket.IPPROTO_UDP, 0, loopback, loopback)
            total = sum(struct.unpack('!10H', ip))
            checksum = 0xffff - (total % 0xffff)
            packet = ip[:10] + struct.pack('!H', checksum) + ip[12:] + udp
            seconds, fraction = divmod(exported.end, 1)
            pcap.write(struct.pack('!IIII', int(seconds), int(fraction * 1e6), len(packet),
                                   len(packet)) + packet)
