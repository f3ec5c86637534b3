# SPDX-License-Identifier: MIT
"""An export of known sessions, for other programs to read."""
import contextlib
import dataclasses
import json
import pathlib
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'e2e'))
import programs  # noqa: E402
from receiver import Receiver, StreamReceiver, ipfix_validator, read_elements  # noqa: E402,F401

PROCESS_NAME, PARENT_NAME = 'interop-proc', 'interop-test'
REQUEST, REPLY = 12345, 6789
# Source and destination of the known sessions by IP version. Nothing else has the first source.
ADDRESSES = {4: ('127.0.0.91', '127.0.0.1'), 6: ('::1', '::1')}
SOURCES_NAME = 'known-sessions.test'
# A burst of the host's other sessions is more than the receive buffer of a slow collector takes.
ONLY_KNOWN_SESSIONS = f'bpf: {{source_host: {SOURCES_NAME}}}\n'
# Debian's, so that the executable of the known sessions is the same everywhere.
INTERPRETER = next(p for p in ('/usr/bin/python3', sys.executable) if pathlib.Path(p).exists())
PCAP_MAGIC, LINKTYPE_RAW = 0xa1b2c3d4, 101
TIMEOUT = 30


@dataclasses.dataclass
class Sessions:
    """What is known of the sessions."""
    pid: int
    executable: str
    ports: list  # (client, server) of the session over IPv4, then of that over IPv6
    begin: float  # seconds since 1970
    end: float


@dataclasses.dataclass
class Export:
    port: int       # of the collector
    messages: list  # octets
    sessions: Sessions

    @property
    def end(self):
        return self.sessions.end


def know_sources(sockflow):
    """Replaces the program by one that knows SOURCES_NAME, in a mount namespace of its own."""
    hosts, program = sockflow.folder / 'hosts', sockflow.folder / 'sockflow'
    hosts.write_text(''.join(f'{source} {SOURCES_NAME}\n' for source, _ in ADDRESSES.values()))
    program.write_text(
        '#!/bin/sh\nexec unshare --mount sh -c \'mount --bind "$0" /etc/hosts && exec "$@"\' '
        f'{hosts} {sockflow.binary} "$@"\n')
    program.chmod(0o755)
    sockflow.binary = program


@contextlib.contextmanager
def known_sessions():
    """Sessions that are over; their process lives until the block ends, for what the agent can
    read of it only while it does."""
    programs.name_process(PARENT_NAME.encode())
    script = pathlib.Path(__file__).with_name('known_sessions.py')
    begin = time.time()
    with subprocess.Popen([INTERPRETER, '-B', script, PROCESS_NAME, str(REQUEST), str(REPLY),
                           *(a for pair in ADDRESSES.values() for a in pair)],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        facts = json.loads(process.stdout.readline())
        yield Sessions(facts['pid'], facts['executable'], [tuple(p) for p in facts['ports']], begin,
                       time.time())
        process.stdin.close()


def records_of(receiver, sessions):
    """Those of the known sessions: another that has the source ::1 is in the stream too."""
    records = [r for r in receiver.records if (r.number(7), r.number(11)) in sessions.ports]
    programs.check(len(records) == 8, f'{len(records)} records of 4 sockets')
    return records


def _write_pcap(path, packets, seconds):
    """Raw IP packets."""
    whole, fraction = divmod(seconds, 1)
    with open(path, 'wb') as pcap:
        pcap.write(struct.pack('!IHHiIII', PCAP_MAGIC, 2, 4, 0, 0, 65535, LINKTYPE_RAW))
        for packet in packets:
            pcap.write(struct.pack('!IIII', int(whole), int(fraction * 1e6), len(packet),
                                   len(packet)) + packet)


def _ip(protocol, payload):
    loopback = socket.inet_aton('127.0.0.1')
    header = struct.pack('!BBHHHBBH4s4s', 0x45, 0, len(payload) + 20, 0, 0, 64, protocol, 0,
                         loopback, loopback)
    total = sum(struct.unpack('!10H', header))
    checksum = 0xffff - (total % 0xffff)
    return header[:10] + struct.pack('!H', checksum) + header[12:] + payload


def write_pcap(exported, path):
    """The datagrams as a capture."""
    _write_pcap(path, [_ip(socket.IPPROTO_UDP,
                           struct.pack('!HHHH', 40000, exported.port, len(m) + 8, 0) + m)
                       for m in exported.messages], exported.end)


def write_stream_pcap(octets, port, seconds, path, segment=1000):
    """The stream as a capture of one TCP connection; messages begin anywhere in its segments."""
    ack = 0x10
    _write_pcap(path, [_ip(socket.IPPROTO_TCP,
                           struct.pack('!HHIIBBHHH', 40000, port, at + 1, 1, 0x50, ack, 65535, 0,
                                       0) + octets[at:at + segment])
                       for at in range(0, len(octets), segment)], seconds)
