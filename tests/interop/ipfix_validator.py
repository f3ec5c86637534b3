# SPDX-License-Identifier: MIT
"""Reads IPFIX messages as strictly as RFC 7011 allows and refuses what breaks a rule.

Shares nothing with the encoder and decoder under test. ipfix_validator_test.py proves that each
rule is really looked at.
"""
import csv
import dataclasses
import struct

# Type of the information element by (enterprise number, id), from the IANA registry by hand; other
# elements come from a list in the form of `sockflow fields --format csv`.
IANA_TYPES = {
    (0, 1): 'unsigned64', (0, 2): 'unsigned64', (0, 4): 'unsigned8', (0, 6): 'unsigned16',
    (0, 7): 'unsigned16', (0, 8): 'ipv4Address', (0, 11): 'unsigned16', (0, 12): 'ipv4Address',
    (0, 27): 'ipv6Address', (0, 28): 'ipv6Address', (0, 60): 'unsigned8', (0, 61): 'unsigned8',
    (0, 96): 'string', (0, 136): 'unsigned8', (0, 148): 'unsigned64',
    (0, 152): 'dateTimeMilliseconds', (0, 153): 'dateTimeMilliseconds', (0, 231): 'unsigned64',
    (0, 232): 'unsigned64', (0, 233): 'unsigned8', (0, 239): 'unsigned8', (0, 298): 'unsigned64',
    (0, 299): 'unsigned64', (0, 371): 'string',
}
DEPRECATED = {34, 35, 38, 39, 43, 48, 49, 50, 51, 64, 84, 87, 100, 102, 103, 104, 209, 416, 419}
OCTETS = {
    'unsigned8': {1}, 'unsigned16': {1, 2}, 'unsigned32': {1, 2, 3, 4},
    'unsigned64': set(range(1, 9)), 'signed8': {1}, 'signed16': {1, 2}, 'signed32': {1, 2, 3, 4},
    'signed64': set(range(1, 9)), 'float32': {4}, 'float64': {4, 8}, 'boolean': {1},
    'macAddress': {6}, 'ipv4Address': {4}, 'ipv6Address': {16}, 'dateTimeSeconds': {4},
    'dateTimeMilliseconds': {8}, 'dateTimeMicroseconds': {8}, 'dateTimeNanoseconds': {8},
}
VARIABLE = 65535
TEMPLATE_SET, OPTIONS_TEMPLATE_SET, FIRST_DATA_SET = 2, 3, 256


class Violation(Exception):
    pass


def require(condition, text):
    if not condition:
        raise Violation(text)


@dataclasses.dataclass(frozen=True)
class Field:
    pen: int
    id: int
    length: int


@dataclasses.dataclass
class Record:
    template: int
    values: dict  # (pen, id) -> octets

    def number(self, id, pen=0):
        octets = self.values.get((pen, id))
        return None if octets is None else int.from_bytes(octets, 'big')

    def text(self, id, pen=0):
        octets = self.values.get((pen, id))
        return None if octets is None else octets.decode()


def read_elements(fields_csv):
    """(pen, id) -> type, from the lines of `sockflow fields --format csv`."""
    elements = {}
    for row in csv.DictReader(fields_csv):
        key = (int(row['pen']), int(row['id']))
        require(row['status'] == 'current', f'element {key} is {row["status"]}')
        require(IANA_TYPES.get(key, row['type']) == row['type'],
                f'element {key} is no {row["type"]} in the IANA registry')
        elements[key] = row['type']
    return elements


class Validator:
    """One exporter's stream over UDP."""

    def __init__(self, elements=(), max_octets=65535):
        self.types = {**dict(elements), **IANA_TYPES}
        self.max_octets = max_octets
        self.templates = {}  # (domain, id) -> tuple of Field
        self.sequence = {}   # domain -> data records seen
        self.messages = 0

    def feed(self, message):
        """Returns the data records of a message; raises Violation."""
        require(len(message) >= 16, 'shorter than a message header')
        require(len(message) <= self.max_octets,
                f'{len(message)} octets, allowed are {self.max_octets}')
        version, length, export_time, sequence, domain = struct.unpack_from('!HHIII', message)
        require(version == 10, f'version {version}')
        require(length == len(message), f'header says {length} octets of {len(message)}')
        require(export_time > 0, 'export time 0')
        expected = self.sequence.get(domain, 0)
        require(sequence == expected, f'sequence {sequence}, expected {expected}')
        require(length > 16, 'empty message')
        records = []
        at = 16
        while at < length:
            require(length - at >= 4, 'octets after the last set')
            set_id, set_length = struct.unpack_from('!HH', message, at)
            require(set_length > 4, f'set of {set_length} octets')
            require(at + set_length <= length, 'set beyond the message')
            body = message[at + 4:at + set_length]
            if set_id in (TEMPLATE_SET, OPTIONS_TEMPLATE_SET):
                self._templates(domain, body, set_id == OPTIONS_TEMPLATE_SET)
            else:
                require(set_id >= FIRST_DATA_SET, f'reserved set id {set_id}')
                records += self._data(domain, set_id, body)
            at += set_length
        self.sequence[domain] = (expected + len(records)) % 2**32
        self.messages += 1
        return records

    def _templates(self, domain, body, is_options):
        header = 6 if is_options else 4
        at = 0
        while len(body) - at >= header:
            template_id, count = struct.unpack_from('!HH', body, at)
            require(template_id >= FIRST_DATA_SET, f'template id {template_id}')
            require(count > 0, 'template withdrawal over UDP')
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
            require(len({(f.pen, f.id) for f in fields}) == len(fields), 'an element twice')
            known = self.templates.setdefault((domain, template_id), tuple(fields))
            require(known == tuple(fields), f'template {template_id} changed its meaning')
        self._check_padding(body[at:])

    def _check_field(self, field):
        key = (field.pen, field.id)
        require(field.pen != 0 or field.id not in DEPRECATED, f'deprecated element {field.id}')
        require(key in self.types, f'unknown element {key}')
        kind = self.types[key]
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

    def _data(self, domain, template_id, body):
        fields = self.templates.get((domain, template_id))
        require(fields is not None, f'data before template {template_id}')
        smallest = sum(1 if f.length == VARIABLE else f.length for f in fields)
        records = []
        at = 0
        while len(body) - at >= smallest:
            values = {}
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
                values[field.pen, field.id] = body[at:at + octets]
                at += octets
            records.append(Record(template_id, values))
            self._check_record(records[-1])
        require(records, 'data set without a record')
        self._check_padding(body[at:])
        return records

    def _check_record(self, record):
        for key, octets in record.values.items():
            if self.types[key] == 'string':
                try:
                    octets.decode('utf-8', 'strict')
                except UnicodeDecodeError:
                    raise Violation(f'element {key} is not UTF-8: {octets!r}') from None
                require(0 not in octets, f'element {key} has a NUL: {octets!r}')
        start, end = record.number(152), record.number(153)
        require(start is None or end is None or start <= end, 'the flow ends before it starts')
        require(start is None or end is not None, 'a start without an end: readers show 1970')
        allowed = {136: range(1, 6), 239: (1,), 61: (0, 1), 233: (1, 2, 5), 4: (6,)}
        for id, values in allowed.items():
            value = record.number(id)
            require(value is None or value in values, f'element {id} has the value {value}')
        version = record.number(60)
        if version is not None:
            wanted, other = ((8, 12), (27, 28)) if version == 4 else ((27, 28), (8, 12))
            require(version in (4, 6), f'IP version {version}')
            require(all((0, id) in record.values for id in wanted), 'addresses are missing')
            require(not any((0, id) in record.values for id in other), 'addresses of both versions')
