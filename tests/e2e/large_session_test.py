# SPDX-License-Identifier: MIT
"""A session of more than 4 GiB each way: its octets are exact, and so are the updates on the way.

large_session_test.py SOCKFLOW [case...]
"""
import json
import os
import socket
import threading
import time

import programs
from programs import check

# More than 32 bits count, and different each way.
REQUEST, REPLY = 2**32 + 123_456_789, 2**32 + 7
PIECE = 8 << 20
PATIENCE_SECONDS = 60
CREATED, DELETED, UPDATE = 1, 2, 5
COUNTERS = ('initiatorOctets', 'responderOctets', 'initiatorPackets', 'responderPackets')


def send(connection, octets):
    """From pages of memory that are never copied."""
    with open(os.memfd_create('data'), 'wb') as data:
        os.ftruncate(data.fileno(), PIECE)
        while octets > 0:
            octets -= os.sendfile(connection.fileno(), data.fileno(), 0, min(octets, PIECE))


def receive(connection, octets):
    """Without a look at them (tcp(7): MSG_TRUNC drops what was received)."""
    piece = bytearray(PIECE)
    while octets > 0:
        got = connection.recv_into(piece, min(octets, PIECE), socket.MSG_TRUNC)
        check(got > 0, 'the peer closed too early')
        octets -= got


class Tests:
    def __init__(self, sockflow):
        self.sockflow = sockflow
        self.folder = sockflow.folder

    def transfer(self, config):
        """The records of both ends of the session: [of who connected, of who accepted]."""
        output, port = self.folder / 'records', programs.free_udp_port()
        config = f'exporter: {{pen: 32473{config}}}\ncapture: {{count_packets: true}}\n'
        with self.sockflow.collector(port, output) as collector, \
                self.sockflow.agent('--collector', f'udp://127.0.0.1:{port}', '--profile', 'full',
                                    config=config) as agent:
            client, server = programs.open_session(source=programs.own_address())
            source = client.getsockname()[1]
            begin = time.monotonic()
            threads = [threading.Thread(target=what, args=arguments) for what, *arguments in (
                (send, client, REQUEST), (receive, server, REQUEST),
                (send, server, REPLY), (receive, client, REPLY))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(PATIENCE_SECONDS)
                check(not thread.is_alive(), 'the octets do not pass')
            took = time.monotonic() - begin
            client.close()
            check(server.recv(1) == b'', 'more octets than were sent')
            server.close()
            time.sleep(0.3)
            print('   ', agent.stop())
            collector.stop()
        print(f'    {REQUEST} and {REPLY} octets in {took:.1f} s')
        records = [record for record in map(json.loads, output.read_text(encoding='utf-8').splitlines())
                   if record.get('sourceTransportPort') == source]
        return [[r for r in records if r['flowDirection'] == direction] for direction in (1, 0)]

    @staticmethod
    def check_whole(records):
        """How many updates there are."""
        events = [record['firewallEvent'] for record in records]
        check(events[0] == CREATED and events[-1] == DELETED and set(events[1:-1]) <= {UPDATE}, f'{events}')
        sums = {name: sum(record.get(name, 0) for record in records) for name in COUNTERS}
        check((sums['initiatorOctets'], sums['responderOctets']) == (REQUEST, REPLY),
              f'{sums}, not {REQUEST} and {REPLY}: {records}')
        end = records[-1]
        # IPv4 and TCP headers.
        header = 20 + end['tcpHeaderLength']
        for total, octets, packets in (('octetTotalCount', REQUEST, sums['initiatorPackets']),
                                       ('reverseOctetTotalCount', REPLY, sums['responderPackets'])):
            check(end[total] == octets + header * packets, f'{total} {end[total]}: {end}')
        check(end['packetTotalCount'] == sums['initiatorPackets'] and
              end['reversePacketTotalCount'] == sums['responderPackets'], f'{sums}: {end}')
        return len(records) - 2

    def case_whole(self):
        for records in self.transfer(''):
            check(self.check_whole(records) == 0, f'updates: {records}')

    def case_with_updates(self):
        if programs.IS_PCAP:
            print('    no updates without eBPF')
            return
        updates = [self.check_whole(records) for records in self.transfer(', active_timeout_seconds: 1')]
        print(f'    {updates} updates')
        check(min(updates) >= 1, 'no update')


if __name__ == '__main__':
    programs.run_capturing_cases(Tests)
