# SPDX-License-Identifier: MIT
"""Reads IPFIX messages as strictly as RFC 7011, 5103 and 5610 allow and refuses what breaks a rule.

Shares nothing with the encoder and decoder under test. ipfix_validator_test.py proves that each
rule is really looked at.
"""
import collections
import dataclasses
import struct

from rules_elements import (DEPRECATED, FOREIGN_PENS, IANA_TYPES, OBSERVATION_TIMES,  # noqa: F401
                            OCTETS, OWN, REVERSE_PEN, REVERSIBLE, VARIABLE, Element, Violation,
                            read_elements, require)
from rules_options import Statistics, TypeRecords, check_options_template
from rules_records import Flows, check_flow_record, check_value, has_rules

HEADER_OCTETS = 16
TEMPLATE_SET, OPTIONS_TEMPLATE_SET, FIRST_DATA_SET = 2, 3, 256
RELIABLE = {'tcp', 'tls', 'file'}
UNRELIABLE = {'udp', 'dtls'}
# A gap that is longer is a step back.
LONGEST_GAP = 2**31
# What the clocks of sender and receiver may differ by; the export time is cut to whole seconds.
CLOCK_SLACK = 1.5
# An exporter looks at its timers now and then, and sends templates before they are too old.
REFRESH_SLACK = 1.5


@dataclasses.dataclass(frozen=True)
class Field:
    pen: int
    id: int
    length: int


@dataclasses.dataclass
class Record:
    template: int
    values: dict  # (pen, id) -> octets
    fields: list = dataclasses.field(default_factory=list, compare=False)  # (key, octets, length)

    def number(self, id, pen=0):
        octets = self.values.get((pen, id))
        return None if octets is None else int.from_bytes(octets, 'big')

    def text(self, id, pen=0):
        octets = self.values.get((pen, id))
        return None if octets is None else octets.rstrip(b'\0').decode()


class MessageStream:
    """Cuts a stream of octets (TCP, TLS, a file) into messages."""

    def __init__(self):
        self._rest = b''

    def feed(self, octets):
        """Returns the messages that are complete."""
        self._rest += octets
        messages = []
        while len(self._rest) >= 4:
            version, length = struct.unpack_from('!HH', self._rest)
            require(version == 10, f'version {version} where a message should begin')
            require(length >= HEADER_OCTETS, f'a message of {length} octets')
            if len(self._rest) < length:
                break
            messages.append(self._rest[:length])
            self._rest = self._rest[length:]
        return messages

    def end(self):
        require(not self._rest, f'the last message is cut off after {len(self._rest)} octets')


class Validator:
    """What one exporting process sends to one collector, in one or more transport sessions.

    elements        what `sockflow fields` lists, as read_elements gives it
    max_octets      of a message
    transport       'udp', 'dtls', 'tcp', 'tls' or 'file'
    first_sequence  of each session and domain
    may_lose        data records may be missing by sequence number; `lost` counts them by domain
    refresh         over UDP and DTLS: templates come again after so many seconds; None: not looked at
    refresh_packets and after so many messages with flow records or statistics; 0: by time only
    prompt          nothing waits for long in the exporter: its statistics count all that came before
                    the statistics before them
    alone           the exporting process sends to nobody else, and to nobody else before: its
                    statistics do not count more than came
    pen             configured for elements of our own; 0: there are none
    """

    def __init__(self, elements=(), max_octets=65535, *, transport='udp', first_sequence=0,
                 may_lose=False, refresh=None, refresh_packets=0, prompt=False, alone=True,
                 pen=0):
        require(transport in RELIABLE | UNRELIABLE, f'transport {transport}')
        self.elements = {(pen if p == OWN else p, id): element
                         for (p, id), element in dict(elements).items() if pen or p != OWN}
        for id, type in IANA_TYPES.items():
            self.elements.setdefault((0, id), Element(type))
        self.max_octets = max_octets
        self.is_reliable = transport in RELIABLE
        self.first_sequence = first_sequence
        self.may_lose = may_lose
        self.refresh, self.refresh_packets = refresh, refresh_packets
        self.prompt = prompt
        self.counts_more = may_lose or not alone
        self.pen = pen
        self.messages = 0
        self.sessions = 0
        self.lost = collections.Counter()  # domain -> data records
        self.options = []                  # records of options templates
        self.domain_names = {}             # domain -> name
        self.statistics = Statistics()
        self.flows = Flows()
        self.begin_session()

    def begin_session(self):
        """Nothing of the last session is known in the next (RFC 7011 8)."""
        self.sessions += 1
        self.templates = {}  # (domain, id) -> tuple of Field
        self.sequence = {}   # domain -> expected in the next message
        self.types = TypeRecords()
        self._scopes = {}    # (domain, id) -> number of scope fields, 0 if no options template
        self._kinds = {}     # (domain, id) of an options template -> its kind
        self._checked = {}   # (domain, id) -> [(number of the field, its type)] where values have rules
        self._sent = {}      # (domain, id) -> (when, messages before)
        self._messages = 0   # with flow records or statistics, which are no part of a refresh

    def end_session(self):
        """What must have come by the end of a session."""
        self.types.check_complete()

    def restart_exporter(self):
        """A new process with the same flows: its counters begin at 0."""
        self.end_session()
        self.statistics = Statistics()
        self.begin_session()

    @property
    def total_lost(self):
        return sum(self.lost.values())

    def feed(self, message, at=None):
        """Returns the flow records of a message, which came `at` (seconds since 1970; None: no
        rule looks at the clock); raises Violation."""
        require(len(message) >= HEADER_OCTETS, 'shorter than a message header')
        require(len(message) <= self.max_octets,
                f'{len(message)} octets, allowed are {self.max_octets}')
        version, length, export_time, sequence, domain = struct.unpack_from('!HHIII', message)
        require(version == 10, f'version {version}')
        require(length == len(message), f'header says {length} octets of {len(message)}')
        require(export_time > 0, 'export time 0')
        require(at is None or export_time <= at + CLOCK_SLACK,
                f'export time {export_time} lies in the future of {at}')
        self._check_sequence(domain, sequence)
        require(length > HEADER_OCTETS, 'empty message')
        self._at, self._export_time, self._octets = at, export_time, length
        records = []
        data_records = 0
        is_counted = False
        position = HEADER_OCTETS
        while position < length:
            require(length - position >= 4, 'octets after the last set')
            set_id, set_length = struct.unpack_from('!HH', message, position)
            require(set_length > 4, f'set of {set_length} octets')
            require(position + set_length <= length, 'set beyond the message')
            body = message[position + 4:position + set_length]
            if set_id in (TEMPLATE_SET, OPTIONS_TEMPLATE_SET):
                self._take_templates(domain, body, set_id == OPTIONS_TEMPLATE_SET)
            else:
                require(set_id >= FIRST_DATA_SET, f'reserved set id {set_id}')
                found = self._take_data(domain, set_id, body)
                data_records += len(found)
                if not self._scopes[domain, set_id]:
                    records += found
                is_counted |= self._kinds.get((domain, set_id)) not in ('types', 'name')
            position += set_length
        self.sequence[domain] = (sequence + data_records) % 2**32
        self.messages += 1
        self._messages += is_counted
        received = self.statistics.received
        received.messages += 1
        received.octets += length
        received.flow_records += len(records)
        return records

    def _check_sequence(self, domain, sequence):
        expected = self.sequence.get(domain, self.first_sequence)
        gap = (sequence - expected) % 2**32
        require(gap == 0 or self.may_lose,
                f'sequence {sequence}, expected {expected}, in domain {domain}')
        require(gap < LONGEST_GAP, f'sequence goes back from {expected} to {sequence}')
        self.lost[domain] += gap

    # --- templates ---

    def _take_templates(self, domain, body, is_options):
        header = 6 if is_options else 4
        at = 0
        while len(body) - at >= header:
            template_id, count = struct.unpack_from('!HH', body, at)
            # That of all templates has the id of the set (RFC 7011 8.1); 0 is padding.
            require(count > 0 or template_id == 0, 'template withdrawal')
            require(template_id >= FIRST_DATA_SET, f'template id {template_id}')
            scopes = 0
            if is_options:
                scopes = struct.unpack_from('!H', body, at + 4)[0]
                require(0 < scopes <= count, f'{scopes} scope fields of {count}')
            at += header
            fields = []
            for _ in range(count):
                require(len(body) - at >= 4, 'template beyond its set')
                number, octets = struct.unpack_from('!HH', body, at)
                at += 4
                pen = 0
                if number & 0x8000:
                    require(len(body) - at >= 4, 'template beyond its set')
                    pen = struct.unpack_from('!I', body, at)[0]
                    require(pen != 0, 'enterprise number 0')
                    at += 4
                fields.append(Field(pen, number & 0x7fff, octets))
                self._check_field(fields[-1])
            self._take_template(domain, template_id, tuple(fields), scopes)
        self._check_padding(body[at:])

    def _take_template(self, domain, template_id, fields, scopes):
        key = domain, template_id
        keys = [(f.pen, f.id) for f in fields]
        for pen, id in set(keys):
            # Two of the same times are the first and the last (RFC 7011 4.3).
            most = 2 if scopes and pen == 0 and id in OBSERVATION_TIMES else 1
            require(keys.count((pen, id)) <= most, f'an element twice: {(pen, id)}')
            require(pen != REVERSE_PEN or (0, id) in keys,
                    f'the reverse of element {id} without the element')
        known = self.templates.get(key)
        if known is not None:
            require(known == fields and self._scopes[key] == scopes,
                    f'template {template_id} changed its meaning')
            require(not self.is_reliable, f'template {template_id} twice in a session')
            self._check_refresh(key)
        else:
            if scopes:
                self._kinds[key] = check_options_template(domain, fields, scopes, self.pen)
            self.templates[key] = fields
            self._scopes[key] = scopes
            types = [self._type((f.pen, f.id)) for f in fields]
            self._checked[key] = [(i, type) for i, type in enumerate(types) if has_rules(type)]
            self.types.use(domain, fields)
        self._sent[key] = self._at, self._messages

    def _age(self, key):
        """Seconds and messages since a template was sent."""
        at, messages = self._sent[key]
        return self._at - at, self._messages - messages

    def _check_refresh(self, key):
        if self.refresh is None or self._at is None:
            return
        seconds, messages = self._age(key)
        is_time = seconds >= self.refresh - REFRESH_SLACK
        is_count = self.refresh_packets and messages >= self.refresh_packets
        require(is_time or is_count,
                f'template {key[1]} again after {seconds:.1f} s and {messages} messages')

    def _check_field(self, field):
        key = (field.pen, field.id)
        if field.pen == REVERSE_PEN:
            require(field.id in REVERSIBLE, f'the reverse of element {field.id}')
            kind = self.elements[0, field.id].type
        else:
            require(field.pen in FOREIGN_PENS or field.pen in (0, self.pen),
                    f'element {key} of an enterprise that is not configured')
            require(field.pen != 0 or field.id not in DEPRECATED,
                    f'deprecated element {field.id}')
            if self.pen and field.pen == self.pen and key not in self.elements:
                return  # its type record tells the type
            require(key in self.elements, f'unknown element {key}')
            kind = self.elements[key].type
        if kind in OCTETS:
            require(field.length in OCTETS[kind], f'element {key}: {kind} in {field.length} octets')
        else:
            require(field.length > 0, f'element {key}: {kind} in 0 octets')
        # Readers of NetFlow v9 heritage take the first octet of two.
        require(key != (0, 6) or field.length == 1, 'tcpControlBits not in one octet')

    @staticmethod
    def _check_padding(octets):
        # Padding as long as a record was read as one (RFC 7011 3.3.1) and refused or counted so.
        require(not any(octets), 'padding not zero')

    # --- data ---

    def _take_data(self, domain, template_id, body):
        key = domain, template_id
        fields = self.templates.get(key)
        require(fields is not None, f'data before template {template_id}')
        if self.refresh is not None and self._at is not None and not self.is_reliable:
            seconds, messages = self._age(key)
            require(seconds <= self.refresh + REFRESH_SLACK,
                    f'data with template {template_id}, which is {seconds:.1f} s old')
            require(not self.refresh_packets or messages < self.refresh_packets,
                    f'data with template {template_id}, {messages} messages after it')
        smallest = sum(1 if f.length == VARIABLE else f.length for f in fields)
        records = []
        at = 0
        while len(body) - at >= smallest:
            record = Record(template_id, {})
            for field in fields:
                octets = field.length
                if octets == VARIABLE:
                    require(len(body) > at, 'record beyond its set')
                    octets = body[at]
                    at += 1
                    if octets == 255:
                        require(len(body) - at >= 2, 'record beyond its set')
                        octets = struct.unpack_from('!H', body, at)[0]
                        at += 2
                require(len(body) - at >= octets, 'record beyond its set')
                value = body[at:at + octets]
                record.values[field.pen, field.id] = value
                record.fields.append(((field.pen, field.id), value, field.length))
                at += octets
            records.append(record)
            self._check_record(domain, record)
        require(records, 'data set without a record')
        self._check_padding(body[at:])
        self.types.use_in_data(domain, fields)
        return records

    def _type(self, key):
        if key[0] == REVERSE_PEN:
            key = 0, key[1]
        return self.elements[key].type if key in self.elements else 'octetArray'

    def _check_record(self, domain, record):
        for i, type in self._checked[domain, record.template]:
            key, octets, length = record.fields[i]
            check_value(key, type, octets, length, self._export_time)
        kind = self._kinds.get((domain, record.template))
        if kind is None:
            check_flow_record(record, self.elements)
            self.flows.note(domain, self.sessions, record)
        else:
            self._check_options_record(domain, kind, record)

    def _check_options_record(self, domain, kind, record):
        self.options.append(record)
        if kind == 'types':
            self.types.describe(domain, record, self.elements, self.pen, self.is_reliable)
        elif kind in ('exporting', 'metering'):
            scopes = self._scopes[domain, record.template]
            scope_values = (domain, *(octets for _, octets, _ in record.fields[:scopes]))
            self.statistics.check(kind, record, scope_values, self.elements, self._octets,
                                  self.counts_more, self.prompt)
        elif kind == 'name':
            named, name = record.number(149), record.text(300)
            require(name, f'domain {named} has an empty name')
            require(named == domain or domain == 0, f'domain {domain} names domain {named}')
            known = self.domain_names.setdefault(named, name)
            require(known == name, f'domain {named} is {known!r} and {name!r}')
