# SPDX-License-Identifier: MIT
"""What TCP sessions there are in a list of packets: simple, slow, and by other means than ours."""
import dataclasses

FIN, SYN, RST, ACK = 1, 2, 4, 16
# Linux gives up a connection after 127 s of unanswered SYNs (tcp_syn_retries). Ours ends 3 s later,
# and what comes within 10 s more is late. Only programs that forge SYNs send them for longer.
UNANSWERED_SECONDS = 130
LATE_SECONDS = 10
# Of a session with both FINs the acknowledgments of these are awaited.
LAST_ACKNOWLEDGMENT_SECONDS = 2


@dataclasses.dataclass(frozen=True)
class Packet:
    time: float        # seconds since 1970
    milliseconds: int  # the same, whole ones
    interface: str
    source: tuple       # address, port
    destination: tuple
    flags: int
    sequence: int
    acknowledgment: int
    octets: int  # of payload

    def has(self, flags):
        return self.flags & flags == flags

    @property
    def end(self):
        """The sequence number after the payload."""
        return self.sequence + (1 if self.has(SYN) else 0) + self.octets


def distance(number, origin):
    return (number - origin) % 2**32


class Session:
    """The packets of one connection, its SYN or SYN+ACK first."""

    def __init__(self, first):
        ends = first.source, first.destination
        self.initiator, self.responder = ends[::-1] if first.has(ACK) else ends
        # Initial sequence numbers, by endpoint.
        self.initial = {self.initiator: distance(first.acknowledgment, 1)
                        if first.has(ACK) else first.sequence}
        self.syn_octets = 0 if first.has(ACK) else first.octets  # TCP Fast Open
        self.packets = []

    def takes_syn(self, packet):
        """Whether a SYN or SYN+ACK between the same endpoints is of this session."""
        if packet.has(ACK) and packet.source == self.responder:
            return distance(packet.acknowledgment, self.initial[self.initiator] + 1
                            ) <= self.syn_octets
        if packet.source in self.initial:
            return packet.sequence == self.initial[packet.source]
        # Both open at the same time, if the responder has not answered yet.
        return all(other.source == self.initiator for other in self.packets)

    def add(self, packet):
        if packet.has(SYN):
            self.initial.setdefault(packet.source, packet.sequence)
        self.packets.append(packet)

    def is_over(self, packet):
        """Whether it was given up long before the packet, unanswered."""
        return self._unanswered() and packet.time >= (
            self.packets[0].time + UNANSWERED_SECONDS + LATE_SECONDS)

    def _unanswered(self):
        return all(packet.source == self.initiator and packet.flags & (SYN | ACK) == SYN
                   for packet in self.packets)

    # --- what a record says of it ---

    def start(self):
        return self.packets[0].milliseconds

    def _ending(self):
        """How many of the packets are of the session's life, and when it ended in milliseconds;
        None: it did not."""
        fins = {}      # by endpoint: the sequence number after it
        acknowledged = set()
        closed = None  # the second FIN
        for i, packet in enumerate(self.packets):
            if closed and packet.time > closed.time + LAST_ACKNOWLEDGMENT_SECONDS:
                return i, closed.milliseconds
            if packet.has(RST):
                return i + 1, (closed or packet).milliseconds
            if packet.has(ACK) and fins.get(packet.destination) == packet.acknowledgment:
                acknowledged.add(packet.destination)
            if packet.has(FIN):
                fins.setdefault(packet.source, distance(packet.end, -1))
                if not closed and len(fins) == 2:
                    closed = packet
            if closed and len(acknowledged) == 2:
                return i + 1, closed.milliseconds
        return len(self.packets), closed.milliseconds if closed else None

    def end(self):
        """In milliseconds; None: neither both FINs nor a RST were seen."""
        return self._ending()[1]

    def _life(self):
        return self.packets[:self._ending()[0]]

    def counted_packets(self):
        """From the initiator, from the responder, as far as the session lived."""
        life = self._life()
        if self._unanswered():
            given_up = self.packets[0].time + UNANSWERED_SECONDS
            life = [packet for packet in life if packet.time < given_up]
        sent = sum(packet.source == self.initiator for packet in life)
        return sent, len(life) - sent

    def one_interface(self):
        return len({packet.interface for packet in self.packets}) == 1

    def octets(self):
        """Of payload from the initiator, from the responder; None: not known. Exact with FIN, else
        up to the highest number that either side told."""
        found = []
        for side in (self.initiator, self.responder):
            told = []
            for packet in self._life():
                if packet.source == side and not packet.has(SYN):
                    told.append(packet.end)
                if packet.source != side and packet.has(ACK):
                    told.append(packet.acknowledgment)
                if packet.source == side and packet.has(FIN):
                    told = [packet.end]
                    break
            if side not in self.initial:
                return None
            found.append(max([distance(number, self.initial[side] + 1) for number in told] or [0]))
        return tuple(found)


def sessions(packets):
    """In the order in which they begin."""
    found, latest = [], {}
    for packet in packets:
        endpoints = frozenset((packet.source, packet.destination))
        session = latest.get(endpoints)
        # What no socket takes (RFC 9293 3.10.7): SYN with FIN or RST.
        if packet.has(SYN) and not packet.flags & (FIN | RST):
            if session is None or session.is_over(packet) or not session.takes_syn(packet):
                session = latest[endpoints] = Session(packet)
                found.append(session)
        if session:
            session.add(packet)
    return found
