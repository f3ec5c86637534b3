# SPDX-License-Identifier: MIT
"""What the rules of IPFIX know of information elements, written by hand from the IANA registry and
the RFCs, so that it shares nothing with the program under test."""
import csv
import dataclasses


class Violation(Exception):
    pass


def require(condition, text):
    if not condition:
        raise Violation(text)


@dataclasses.dataclass(frozen=True)
class Element:
    type: str
    name: str = ''
    semantics: str = ''
    units: str = ''


# Type of the information element by id; other elements come from a list in the form of
# `sockflow fields --format csv`.
IANA_TYPES = {
    1: 'unsigned64', 2: 'unsigned64', 4: 'unsigned8', 6: 'unsigned16', 7: 'unsigned16',
    8: 'ipv4Address', 10: 'unsigned32', 11: 'unsigned16', 12: 'ipv4Address', 14: 'unsigned32',
    27: 'ipv6Address', 28: 'ipv6Address', 40: 'unsigned64', 41: 'unsigned64', 42: 'unsigned64',
    60: 'unsigned8', 61: 'unsigned8', 82: 'string', 85: 'unsigned64', 86: 'unsigned64',
    96: 'string', 130: 'ipv4Address', 131: 'ipv6Address', 136: 'unsigned8', 143: 'unsigned32',
    144: 'unsigned32', 148: 'unsigned64', 149: 'unsigned32', 150: 'dateTimeSeconds',
    151: 'dateTimeSeconds', 152: 'dateTimeMilliseconds', 153: 'dateTimeMilliseconds',
    154: 'dateTimeMicroseconds', 155: 'dateTimeMicroseconds', 156: 'dateTimeNanoseconds',
    157: 'dateTimeNanoseconds', 160: 'dateTimeMilliseconds', 163: 'unsigned64',
    164: 'unsigned64', 165: 'unsigned64', 166: 'unsigned64', 167: 'unsigned64',
    168: 'unsigned64', 231: 'unsigned64', 232: 'unsigned64', 233: 'unsigned8', 239: 'unsigned8',
    298: 'unsigned64', 299: 'unsigned64', 300: 'string', 303: 'unsigned16',
    322: 'dateTimeSeconds', 323: 'dateTimeMilliseconds', 324: 'dateTimeMicroseconds',
    325: 'dateTimeNanoseconds', 339: 'unsigned8', 340: 'string', 341: 'string',
    342: 'unsigned64', 343: 'unsigned64', 344: 'unsigned8', 345: 'unsigned16',
    346: 'unsigned32', 371: 'string',
}
DEPRECATED = {34, 35, 38, 39, 43, 48, 49, 50, 51, 64, 84, 87, 100, 102, 103, 104, 209, 416, 419}

# RFC 7011 6: the lengths that a type may have in a template, besides 65535 for the others.
OCTETS = {
    'unsigned8': {1}, 'unsigned16': {1, 2}, 'unsigned32': {1, 2, 3, 4},
    'unsigned64': set(range(1, 9)), 'signed8': {1}, 'signed16': {1, 2}, 'signed32': {1, 2, 3, 4},
    'signed64': set(range(1, 9)), 'float32': {4}, 'float64': {4, 8}, 'boolean': {1},
    'macAddress': {6}, 'ipv4Address': {4}, 'ipv6Address': {16}, 'dateTimeSeconds': {4},
    'dateTimeMilliseconds': {8}, 'dateTimeMicroseconds': {8}, 'dateTimeNanoseconds': {8},
}
VARIABLE = 65535

# RFC 5610 3.1, 3.6, 3.7: the numbers in type records.
TYPE_NUMBERS = (
    'octetArray', 'unsigned8', 'unsigned16', 'unsigned32', 'unsigned64', 'signed8', 'signed16',
    'signed32', 'signed64', 'float32', 'float64', 'boolean', 'macAddress', 'string',
    'dateTimeSeconds', 'dateTimeMilliseconds', 'dateTimeMicroseconds', 'dateTimeNanoseconds',
    'ipv4Address', 'ipv6Address', 'basicList', 'subTemplateList', 'subTemplateMultiList')
SEMANTICS_NUMBERS = ('default', 'quantity', 'totalCounter', 'deltaCounter', 'identifier', 'flags')
UNITS_NUMBERS = ('', 'bits', 'octets', 'packets', 'flows', 'seconds', 'milliseconds',
                 'microseconds', 'nanoseconds', '4-octet words', 'messages', 'hops', 'entries')

REVERSE_PEN = 29305  # RFC 5103 6.1
NTOP_PEN, ANTREA_PEN = 35632, 56506
FOREIGN_PENS = {NTOP_PEN, ANTREA_PEN}  # whose elements we use
OWN = 'own'  # in the place of the enterprise number that is configured
# The only elements whose reverse is of use. That of a time would take the forward one's place in
# nfdump; most others cannot be reversed (RFC 5103 6.1).
REVERSIBLE = {1, 2, 85, 86}
# What a session has not got when it starts.
COUNTERS = ({(0, id) for id in (1, 2, 85, 86, 231, 232, 298, 299)} |
            {(REVERSE_PEN, id) for id in REVERSIBLE} | {(NTOP_PEN, 109), (NTOP_PEN, 110)})
OBSERVATION_TIMES = {322, 323, 324, 325}


def is_semantics_allowed(type, semantics):
    """RFC 5610 3.10."""
    if type.startswith('unsigned'):
        return True
    if type.startswith('signed'):
        return semantics != 'flags'
    if type.startswith('float'):
        return semantics not in ('identifier', 'flags')
    return semantics == 'default'


def read_elements(fields_csv):
    """(pen, id) -> Element, from the lines of `sockflow fields --format csv`; of elements of our own
    the pen is OWN."""
    elements = {}
    for row in csv.DictReader(fields_csv):
        pen = OWN if row['pen'] == OWN else int(row['pen'])
        key = pen, id = pen, int(row['id'])
        require(row['status'] == 'current', f'element {key} is {row["status"]}')
        if pen == 0:
            require(IANA_TYPES.get(id, row['type']) == row['type'],
                    f'element {key} is no {row["type"]} in the IANA registry')
        require(row['name'], f'element {key} has no name')
        elements[key] = Element(row['type'], row['name'], row['semantics'] or 'default',
                                row['units'])
    return elements
