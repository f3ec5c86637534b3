# SPDX-License-Identifier: MIT
"""What sessions were on the wire and to their programs, beside what their end records say of it."""
import collections
import json
import subprocess

from programs import check, IS_EMULATED, IS_PCAP

FIN, SYN, RST, ACK = 1, 2, 4, 16
# Packets tell what the wire saw, both ends alike: not what a socket knows of itself.
END_OF_FLOW, IDLE_TIMEOUT = 3, 1
# Kind of session -> why each end of it is over: (of who connected, of who accepted).
REASONS = {
    'client_closes': ('local-fin', 'remote-fin'),
    'server_closes': ('remote-fin', 'local-fin'),
    'client_resets': ('local-reset', 'remote-reset'),
    'server_resets': ('remote-reset', 'local-reset'),
    'half_close': ('local-fin', 'remote-fin'),
    'server_half_close': ('remote-fin', 'local-fin'),
    'silent': ('local-fin', 'remote-fin'),
    'unread_reset': ('local-reset', 'remote-reset'),
    'killed_client': ('owner-killed', 'remote-fin'),
    'killed_server': ('remote-fin', 'owner-killed'),
    'refused': ('refused', None),
    'lossy': ('local-fin', 'remote-fin'),
    'timed_out': ('timed-out', None),
    'unanswered': ('timed-out', 'remote-reset'),
    'not_accepted': ('remote-reset', 'not-accepted'),
    'simultaneous': ('local-fin', 'local-fin'),
    'network_error': ('unreachable', None),
}
# What is behind a segment, no packet says.
if IS_PCAP:
    REASONS.update(killed_client=('local-fin', 'remote-fin'), killed_server=('remote-fin', 'local-fin'),
                   not_accepted=('remote-reset', 'local-reset'), unanswered=('local-reset', 'remote-reset'))
# The reason -> who sent which segment first. None: no segment says it.
FIRST = {'local-fin': ('local', 'fin'), 'remote-fin': ('remote', 'fin'),
         'local-reset': ('local', 'rst'), 'remote-reset': ('remote', 'rst'), 'refused': ('remote', 'rst'),
         'owner-killed': ('local', 'fin'), 'not-accepted': ('local', 'rst')}
# Both ends were first, or the segment that came was for a socket that was gone.
NOBODY_FIRST = ('simultaneous', 'unanswered')
# Packets that the network, which is a socket's filter here, keeps from a socket.
LOSING = ('lossy', 'simultaneous', 'unanswered')
# Two clocks, and what a program does between its own look and the call.
SLACK_US = 200

# Where a record may differ from the wire, and why.
# The peer's last FIN comes when the socket has closed already and only waits out its time, and is answered;
# or a segment is answered by RST as there is no socket any more. No hook sees that. Two processors send at once:
# an ACK may leave, or pass a capture, behind the RST of the same socket.
MOST_AFTER, MOST_EXCUSED = 2, 0.1  # packets; share of the sockets
RESETS = ('local-reset', 'remote-reset')
AFTER_THE_SOCKET = 'sent and received after the socket was gone'
NOT_ARRIVED = 'lost on the way'
# Some hosts keep BPF programs from running while an interrupt meets certain tasks. What a connect that failed
# then was, the kernel has forgotten when the next hook comes (tcp_disconnect()).
NOT_TOLD = 'the hook did not run'


class Watch:
    """wire_watch while it is a context; then its sessions, by their two ends, in their order."""

    def __init__(self, program, output):
        self.program, self.output, self.process = program, output, None
        self.sessions = collections.defaultdict(list)

    def __enter__(self):
        self.process = subprocess.Popen([self.program, self.output], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        check(self.process.stdout.readline() == 'ready\n', 'wire_watch cannot watch')
        return self

    def __exit__(self, *error):
        self.process.stdin.close()
        status = self.process.wait(30)
        self.process.stdout.close()
        if error[0] is None:
            check(status == 0, 'wire_watch has failed')
            for line in self.output.read_text(encoding='utf-8').splitlines():
                seen = json.loads(line)
                self.sessions[seen['initiator'], seen['initiator_port'], seen['responder'],
                              seen['responder_port']].append(seen)


def reason_of(truth):
    return REASONS[truth['kind'].removeprefix('prefork_')][truth['direction'] == 'passive']


def compare_reason(truth, end, wire, note):
    reason = reason_of(truth)
    note('reason', end['sessionCloseReason'] == reason, f"{end['sessionCloseReason']}, not {reason}",
         NOT_TOLD if is_untold(end) else '')
    end_reason = IDLE_TIMEOUT if reason == 'timed-out' else END_OF_FLOW
    note('endReason', end['flowEndReason'] == end_reason, f"flowEndReason {end['flowEndReason']}",
         NOT_TOLD if is_untold(end) else '')
    who, what = FIRST.get(end['sessionCloseReason'], (None, None))
    if who and truth['kind'] not in NOBODY_FIRST:
        is_initiator = (who == 'local') == (truth['direction'] == 'active')
        first = f"{'initiator' if is_initiator else 'responder'}-{what}"
        note('first', wire['first_end'] == first, f"{first}, but on the wire {wire['first_end']}")
    sent = (wire['flags'][0] | wire['flags'][1]) & (FIN | SYN | RST | ACK)
    note('flags', end['tcpControlBits'] == sent, f"flags {end['tcpControlBits']:#x}, not {sent:#x}",
         AFTER_THE_SOCKET if may_go_on(truth) and end['tcpControlBits'] == sent & ~RST else '')


def is_survived(truth):
    """The session goes on at its other end."""
    return not IS_PCAP and truth['kind'] == 'unanswered' and truth['direction'] == 'active'


def is_untold(end):
    return end['sessionCloseReason'] == 'not-seen'


def may_go_on(truth):
    """Packets may come when it is over: the peer's last FIN, or one that was late."""
    return is_survived(truth) or reason_of(truth) in ('local-fin', 'remote-fin', 'owner-killed')


def compare_counters(truth, end, wire, note):
    is_passive = truth['direction'] == 'passive'
    octets = [end['initiatorOctets'], end['responderOctets']]
    note('payload', octets == wire['octets'], f"{octets} octets, on the wire {wire['octets']}",
         AFTER_THE_SOCKET if is_survived(truth) else NOT_ARRIVED if truth['kind'] == 'unanswered' else '')
    packets = [end['initiatorPackets'], end['responderPackets']]
    there = wire['captured' if IS_PCAP else 'packets']
    missing = [seen - said for seen, said in zip(there, packets)]
    for column, side in (('sent', is_passive), ('received', not is_passive)):
        excuse = NOT_TOLD if is_untold(end) else ''
        others = missing if truth['kind'] not in LOSING else [missing[side]]
        if (may_go_on(truth) or reason_of(truth) in RESETS) and all(0 <= count <= MOST_AFTER for count in others):
            excuse = AFTER_THE_SOCKET
        elif column == 'received' and truth['kind'] in LOSING and missing[side] > 0:
            excuse = NOT_ARRIVED
        note(column, missing[side] == 0, f'{packets} packets, on the wire {there}', excuse)
    if IS_PCAP:
        return
    again = end['tcpRetransmittedPacketDeltaCount']
    note('again', again == wire['again'][is_passive],
         f"{again} packets sent again, on the wire {wire['again'][is_passive]}",
         NOT_TOLD if is_untold(end) else '')


def compare_measures(truth, end, wire, note):
    if 'rtt' in truth and not IS_PCAP:
        smoothed, least = end['tcpSmoothedRttMicroseconds'], end['tcpMinimumRttMicroseconds']
        seen = truth['rtt'], 0 if truth['min_rtt'] == 2**32 - 1 else truth['min_rtt']
        detail = f'round-trip times {(smoothed, least)}, TCP_INFO {seen}'
        if truth['final']:
            note('rtt', (smoothed, least) == seen, detail)
            note('again', end['tcpRetransmittedPacketDeltaCount'] == truth['retransmitted'],
                 f"{end['tcpRetransmittedPacketDeltaCount']} sent again, TCP_INFO {truth['retransmitted']}")
        else:
            # What a FIN brings are one or two samples more of an eighth each, and each packet one that was on its
            # way; on an emulated machine up to four were seen.
            rest = (7 / 8) ** ((4 if IS_EMULATED else 2) + truth['unacknowledged'])
            note('rtt', 0 < least <= seen[1] and least <= smoothed and smoothed >= seen[0] * rest - 2, detail)
    if truth['direction'] == 'active' and wire['answer_us'] and reason_of(truth) != 'refused':
        took, called = wire['answer_us'] - wire['syn_us'], 1000 * (truth['start_max'] - truth['start_min'])
        said = end['tcpHandshakeMicroseconds']
        # A capture sees packets of the loopback interface where they arrive.
        note('handshake', (IS_PCAP or took - SLACK_US <= said) and said <= called + SLACK_US,
             f'handshake {said} us, on the wire {took} us, connect() {called} us')


def may_be_untold(truth, column):
    """Of a socket whose last hook did not run: how it ended, or, if it never connected, that it was there."""
    if truth['kind'] in ('timed_out', 'network_error'):
        return True
    return column in ('sent', 'received', 'again', 'reason', 'first', 'endReason', 'flags')


def compare(truth, end, wire, note):
    """`note` is told each column, whether it is right, what is wrong, and what excuses that."""
    compare_reason(truth, end, wire, note)
    compare_counters(truth, end, wire, note)
    compare_measures(truth, end, wire, note)
