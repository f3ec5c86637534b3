# SPDX-License-Identifier: MIT
"""A good message passes ipfix_validator, each way to break it is refused for the right reason."""
import copy
import csv
import pathlib
import struct
import unittest

import ipfix_validator
import rules_elements
from ipfix_validator import Element, MessageStream, Validator, Violation

NOW = 1_700_000_000
MS = NOW * 1000
NTP = (NOW + 2208988800) << 32
NTOP, ANTREA, REVERSE, OWN = 35632, 56506, 29305, 32473
ELEMENTS = {(NTOP, 168): Element('unsigned32', 'SRC_PROC_PID', 'identifier', ''),
            (NTOP, 3): Element('boolean', 'A_BOOLEAN', 'default', ''),
            (NTOP, 109): Element('unsigned32', 'RETRANSMITTED_IN_PKTS', 'deltaCounter', 'packets')}
FIELDS = [(0, 148, 8), (0, 152, 8), (0, 153, 8), (0, 6, 1), (0, 136, 1), (0, 239, 1), (0, 60, 1),
          (0, 8, 4), (0, 12, 4), (0, 371, 65535), (NTOP, 168, 4)]
TYPE_FIELDS = [(0, 346, 4), (0, 303, 2), (0, 339, 1), (0, 344, 1), (0, 345, 2), (0, 342, 8),
               (0, 343, 8), (0, 341, 65535), (0, 340, 65535)]
EXPORTING_FIELDS = [(0, 144, 4), (0, 41, 8), (0, 42, 8), (0, 40, 8), (0, 166, 8), (0, 167, 8),
                    (0, 168, 8), (0, 323, 8), (0, 323, 8)]
METERING_FIELDS = [(0, 149, 4), (0, 143, 4), (0, 164, 8), (0, 165, 8), (0, 323, 8), (0, 323, 8)]
NAME_FIELDS = [(0, 149, 4), (0, 300, 65535)]
EVENT_FIELDS = [(0, 148, 8), (0, 152, 8), (0, 153, 8), (0, 233, 1), (0, 7, 2)]


def template(fields=None, id=300, count=None, scopes=None):
    fields = FIELDS if fields is None else fields
    body = struct.pack('!HH', id, len(fields) if count is None else count)
    body += b'' if scopes is None else struct.pack('!H', scopes)
    for pen, number, length in fields:
        body += struct.pack('!HH', number | (0x8000 if pen else 0), length)
        body += struct.pack('!I', pen) if pen else b''
    return body


def record(id=7, start=MS - 2, end=MS - 1, reason=3, biflow=1, version=4, user=b'root'):
    return (struct.pack('!QQQBBBB', id, start, end, 2, reason, biflow, version) +
            b'\x7f\0\0\1' * 2 + bytes([len(user)]) + user + struct.pack('!I', 42))


def string(octets):
    return bytes([len(octets)]) + octets


def type_record(pen=NTOP, id=168, type=3, semantics=4, units=0, begin=0, end=2**32 - 1,
                name=b'SRC_PROC_PID', description=b'process'):
    return (struct.pack('!IHBBHQQ', pen, id, type, semantics, units, begin, end) + string(name) +
            string(description))


def exporting(messages=0, flows=0, octets=0, not_sent=0, first=MS, last=MS):
    return struct.pack('!IQQQQQQQQ', 1, messages, flows, octets, not_sent, 0, 0, first, last)


def metering(packets=0, octets=0, first=MS, last=MS):
    return struct.pack('!IIQQQQ', 1, 1, packets, octets, first, last)


def event(kind, id=7, start=MS, end=MS, port=1000):
    return struct.pack('!QQQBH', id, start, end, kind, port)


def a_set(id, body, length=None):
    return struct.pack('!HH', id, len(body) + 4 if length is None else length) + body


def message(*sets, version=10, length=None, sequence=0, domain=1, time=NOW):
    body = b''.join(sets)
    length = len(body) + 16 if length is None else length
    return struct.pack('!HHIII', version, length, time, sequence, domain) + body


TEMPLATE = a_set(2, template())
DATA = a_set(300, record())
TYPE_TEMPLATE = a_set(3, template(TYPE_FIELDS, 400, scopes=2))
TYPES = a_set(400, type_record())
EXPORTING_TEMPLATE = a_set(3, template(EXPORTING_FIELDS, 401, scopes=1))
METERING_TEMPLATE = a_set(3, template(METERING_FIELDS, 402, scopes=2))
NAME_TEMPLATE = a_set(3, template(NAME_FIELDS, 403, scopes=1))
EVENTS = a_set(2, template(EVENT_FIELDS, 500))


class Case(unittest.TestCase):
    def setUp(self):
        self.validator = Validator(ELEMENTS, 1400)

    def refuses(self, text, *messages, at=None, end=False, **options):
        """The last of the messages, or the end after them; self.validator stays as it is."""
        validator = (Validator(ELEMENTS, 1400, **options) if options else
                     copy.deepcopy(self.validator))
        for good in messages if end else messages[:-1]:
            validator.feed(good, at)
        with self.assertRaisesRegex(Violation, text):
            if end:
                validator.end_session()
            else:
                validator.feed(messages[-1], at)

    def refuses_fields(self, text, *fields, **options):
        self.refuses(text, message(a_set(2, template(list(fields), id=400))), **options)

    def refuses_values(self, text, fields, octets, **options):
        """Data of a template of its own, in a domain of its own."""
        self.refuses(text, message(a_set(2, template(fields, id=600)), domain=6),
                     message(a_set(600, octets), domain=6), **options)


class MessageTest(Case):
    def test_good_messages_pass(self):
        self.assertEqual(self.validator.feed(message(TEMPLATE)), [])
        records = self.validator.feed(message(DATA, a_set(300, record(8, user=b'') + record(9) +
                                                          b'\0' * 3)))
        self.assertEqual(len(records), 3)
        self.assertEqual(records[0].number(168, NTOP), 42)
        self.assertEqual(records[0].text(371), 'root')
        self.assertEqual(len(self.validator.feed(message(TEMPLATE, DATA, sequence=3))), 1)
        self.assertEqual(len(self.validator.feed(message(TEMPLATE, DATA, domain=2))), 1)

    def test_header(self):
        self.refuses('version 9', message(TEMPLATE, version=9))
        self.refuses('header says', message(TEMPLATE, length=99))
        self.refuses('shorter than', message(TEMPLATE)[:15])
        self.refuses('empty message', message())
        self.refuses('export time 0', message(TEMPLATE, time=0))
        self.refuses('octets, allowed', message(TEMPLATE, a_set(300, record() * 40)))

    def test_export_time(self):
        self.validator.feed(message(TEMPLATE, time=NOW + 1), NOW)
        self.refuses('in the future', message(TEMPLATE, time=NOW + 2), at=NOW)
        self.refuses('in the future', message(TEMPLATE, time=NOW + 1), at=NOW - 1)
        self.refuses('element .0, 153. lies 2.000 s after', message(TEMPLATE),
                     message(a_set(300, record(end=MS + 2000))))
        # The export time is cut to seconds.
        self.validator.feed(message(TEMPLATE, a_set(300, record(8, end=MS + 1000))))

    def test_sequence(self):
        self.refuses('sequence 5, expected 0', message(TEMPLATE, sequence=5))
        self.refuses('sequence 0, expected 1', message(TEMPLATE, DATA), message(DATA))
        self.refuses('sequence 2, expected 1', message(TEMPLATE, DATA), message(DATA, sequence=2))

    def test_first_sequence_and_wrap(self):
        first = 2**32 - 1
        self.refuses('sequence 0, expected', message(TEMPLATE), first_sequence=first)
        self.validator = Validator(ELEMENTS, first_sequence=first)
        self.validator.feed(message(TEMPLATE, DATA, sequence=first))
        self.validator.feed(message(DATA, sequence=0))
        self.validator.feed(message(EXPORTING_TEMPLATE, domain=0, sequence=first))
        self.refuses('expected 1', message(DATA, sequence=first))

    def test_gaps(self):
        self.validator = Validator(ELEMENTS, may_lose=True, first_sequence=2**32 - 2)
        self.validator.feed(message(TEMPLATE, DATA, sequence=2**32 - 2))
        self.validator.feed(message(DATA, sequence=4))
        self.validator.feed(message(DATA, sequence=6))
        self.validator.feed(message(EXPORTING_TEMPLATE, domain=0, sequence=0))
        self.assertEqual((dict(self.validator.lost), self.validator.total_lost),
                         ({1: 6, 0: 2}, 8))
        self.refuses('goes back', message(DATA, sequence=6))

    def test_options_data_counts_in_the_sequence(self):
        self.validator.feed(message(TYPE_TEMPLATE, TYPES))
        self.validator.feed(message(TEMPLATE, sequence=1))
        self.validator.feed(message(EXPORTING_TEMPLATE, domain=0))
        self.validator.feed(message(a_set(401, exporting()), domain=0))
        self.validator.feed(message(a_set(401, exporting()), domain=0, sequence=1))
        self.refuses('sequence 0, expected 1', message(DATA))

    def test_sets(self):
        self.refuses('set of 4', message(TEMPLATE, a_set(300, b'')))
        self.refuses('set of 3', message(a_set(2, template(), length=3)))
        self.refuses('set beyond', message(a_set(2, template(), length=999)))
        self.refuses('octets after', message(TEMPLATE, b'\0\0'))
        self.refuses('reserved set id 255', message(a_set(255, record())))

    def test_padding(self):
        self.refuses('padding not zero', message(TEMPLATE, a_set(300, record() + b'\0\1')))
        # Longer than a record it reads as one.
        self.refuses('template id 0', message(a_set(2, template() + b'\0' * 4)))
        self.refuses('lies before 2015', message(TEMPLATE, a_set(300, record(9) + b'\0' * 50)))
        self.refuses('padding not zero', message(a_set(2, template() + b'\1')))
        self.refuses('padding not zero', message(a_set(3, template(NAME_FIELDS, 403, scopes=1) +
                                                       b'\0\1')))

    def test_records(self):
        self.refuses('record beyond', message(TEMPLATE, a_set(300, record(user=b'x' * 9)[:-1])))
        self.refuses('data set without', message(TEMPLATE, a_set(300, b'\0')))
        strings = [(0, 371, 65535), (0, 96, 65535)]
        for octets in (b'\1x', b'\xff\0', b'\xff\0\4abc', b'\0\xff\0\1'):
            self.refuses_values('record beyond', strings, octets)
        long = a_set(600, b'\xff\1\0' + b'x' * 256 + b'\0')
        self.validator.feed(message(a_set(2, template(strings, id=600)), long))


class TemplateTest(Case):
    def test_templates(self):
        self.refuses('data before template 300', message(DATA))
        self.refuses('data before template 300', message(TEMPLATE), message(DATA, domain=9))
        self.refuses('changed its meaning', message(TEMPLATE),
                     message(a_set(2, template(FIELDS[:-1]))))
        self.refuses('template id 255', message(a_set(2, template(id=255))))
        for octets in (template(count=12), template()[:-3], template()[:-5], template()[:-7]):
            self.refuses('template beyond', message(a_set(2, octets)))
        self.refuses('twice', message(a_set(2, template(FIELDS[:1] * 2, id=301))))

    def test_no_withdrawal(self):
        for transport in ('udp', 'dtls', 'tcp', 'tls', 'file'):
            self.refuses('withdrawal', message(a_set(2, template([]))), transport=transport)
            self.refuses('withdrawal', message(a_set(2, template([], id=2))), transport=transport)

    def test_options_templates(self):
        for scopes, count in ((0, None), (3, None), (1, 0)):
            self.refuses('scope fields|withdrawal',
                         message(a_set(3, template(NAME_FIELDS, 403, count, scopes))))
        # One number space for both kinds of template.
        self.refuses('changed its meaning', message(NAME_TEMPLATE),
                     message(a_set(2, template(NAME_FIELDS, 403))))
        self.refuses('changed its meaning', message(METERING_TEMPLATE),
                     message(a_set(3, template(METERING_FIELDS, 402, scopes=3))))
        self.refuses('no known kind', message(a_set(3, template(FIELDS, 404, scopes=1))))

    def test_reliable_sessions_have_templates_once(self):
        for transport in ('tcp', 'tls', 'file'):
            self.validator = Validator(ELEMENTS, transport=transport)
            self.validator.feed(message(TEMPLATE))
            self.validator.feed(message(TEMPLATE, domain=2))
            self.refuses('template 300 twice', message(TEMPLATE))
        for transport in ('udp', 'dtls'):
            self.validator = Validator(ELEMENTS, transport=transport)
            self.validator.feed(message(TEMPLATE))
            self.validator.feed(message(TEMPLATE))

    def test_sessions(self):
        self.validator = Validator(ELEMENTS, transport='tcp')
        for _ in range(2):
            self.validator.feed(message(TYPE_TEMPLATE, TYPES, TEMPLATE, DATA))
            self.validator.end_session()
            self.validator.begin_session()
        self.refuses('data before template 300', message(DATA))
        self.refuses('expected 0', message(TEMPLATE, sequence=2))

    def test_refresh(self):
        def fresh(**options):
            self.validator = Validator(ELEMENTS, refresh=30, **options)
            self.validator.feed(message(TEMPLATE), NOW)
            return self.validator
        fresh().feed(message(TEMPLATE), NOW + 30)
        fresh().feed(message(DATA), NOW + 31)
        fresh()
        self.refuses('which is 32.0 s old', message(DATA), at=NOW + 32)
        fresh()
        self.refuses('again after 20.0 s', message(TEMPLATE), at=NOW + 20)
        fresh(refresh_packets=3)
        for sequence in range(2):
            self.refuses('again after 0.0 s', message(TEMPLATE, sequence=sequence), at=NOW)
            self.validator.feed(message(a_set(300, record(sequence)), sequence=sequence), NOW)
        self.validator.feed(message(a_set(300, record(3)), sequence=2), NOW)
        self.refuses('3 messages after', message(a_set(300, record(4)), sequence=3), at=NOW)
        self.validator.feed(message(TEMPLATE, sequence=3), NOW)
        # Over DTLS as over UDP; a reliable session knows no age.
        self.refuses('again after', message(TEMPLATE), message(TEMPLATE), at=NOW, refresh=9,
                     transport='dtls')
        fresh(transport='tcp').feed(message(DATA), NOW + 32)

    def test_elements(self):
        self.refuses_fields('deprecated element 209', (0, 209, 1))
        self.refuses_fields('deprecated element 64', (0, 64, 4))
        self.refuses_fields('unknown element', (NTOP, 9999, 4))
        self.refuses_fields('unsigned64 in 9 octets', (0, 148, 9))
        self.refuses_fields('unsigned64 in 65535 octets', (0, 148, 65535))
        self.refuses_fields('dateTimeMilliseconds in 4 octets', (0, 152, 4))
        self.refuses_fields('dateTimeMicroseconds in 4 octets', (0, 154, 4))
        self.refuses_fields('ipv4Address in 16 octets', (0, 8, 16))
        self.refuses_fields('string in 0 octets', (0, 371, 0))
        self.refuses_fields('tcpControlBits not in one', (0, 6, 2))

    def test_enterprises(self):
        self.refuses_fields('not configured', (OWN, 1, 4))
        self.refuses_fields('not configured', (OWN, 1, 4), pen=OWN + 1)
        self.validator = Validator(ELEMENTS, pen=OWN)
        self.validator.feed(message(a_set(2, template([(OWN, 1, 4)]))))
        self.refuses('enterprise number 0',
                     message(a_set(2, b'\1\x2c\0\1\x80\1\0\4\0\0\0\0')))

    def test_reverse_elements(self):
        both = [(0, 1, 8), (0, 2, 8), (REVERSE, 1, 8), (REVERSE, 2, 4), (0, 239, 1)]
        self.validator.feed(message(a_set(2, template(both))))
        for id in (152, 153, 150, 136, 231, 148, 8, 239):
            self.refuses_fields(f'the reverse of element {id}$', (0, 1, 8), (REVERSE, id, 8))
        self.refuses_fields('without the element', (0, 2, 8), (REVERSE, 1, 8))
        self.refuses_fields('unsigned64 in 9', (0, 1, 8), (REVERSE, 1, 9))
        self.refuses_values('without biflowDirection', both[:-1], bytes(28))

    def test_element_list(self):
        header = 'pen,id,name,type,semantics,units,status'
        read = ipfix_validator.read_elements
        self.assertEqual(read([header, '35632,168,SRC_PROC_PID,unsigned32,identifier,,current']),
                         {(NTOP, 168): ELEMENTS[NTOP, 168]})
        for line, text in (('0,209,x,unsigned8,,,deprecated', 'deprecated'),
                           ('0,6,tcpControlBits,unsigned8,,,current', 'no unsigned8'),
                           ('35632,1,,string,,,current', 'no name')):
            with self.assertRaisesRegex(Violation, text):
                read([header, line])

    def test_our_table_is_the_registry(self):
        registry = (pathlib.Path(__file__).resolve().parents[3] / 'shared' / 'registries' /
                    'iana-ipfix-information-elements.csv')
        if not registry.is_file():
            self.skipTest(f'{registry} is missing')
        types, deprecated = {}, set()
        with open(registry, encoding='utf-8', newline='') as lines:
            for row in list(csv.reader(lines))[1:]:
                if row[0].isdecimal():
                    types[int(row[0])] = row[2]
                    if row[4] == 'deprecated':
                        deprecated.add(int(row[0]))
        for id, type in rules_elements.IANA_TYPES.items():
            self.assertEqual(type, types[id], id)
        self.assertFalse(deprecated & set(rules_elements.IANA_TYPES))
        self.assertLessEqual(deprecated, rules_elements.DEPRECATED)


class FlowRecordTest(Case):
    def refuses_record(self, text, **facts):
        self.refuses(text, message(TEMPLATE, a_set(300, record(**facts))))

    def test_values(self):
        self.refuses_record('ends before', start=MS)
        self.refuses_record('element 136 has the value 0', reason=0)
        self.refuses_record('element 136 has the value 6', reason=6)
        self.refuses_record('element 239 has the value 0', biflow=0)
        self.refuses_record('addresses are missing', version=6)
        self.refuses_record('lies before 2015', start=MS // 1000)
        self.refuses_values('addresses of both', [(0, 60, 1), (0, 8, 4), (0, 12, 4), (0, 27, 16)],
                            b'\4' + bytes(24))
        self.refuses_values('element 4 has', [(0, 4, 1)], b'\x11')
        self.refuses_values('element 61 has', [(0, 61, 1)], b'\2')
        self.refuses_values('element 233 has', [(0, 233, 1)], b'\3')
        self.refuses_values('is no boolean', [(NTOP, 3, 1)], b'\0')
        self.refuses_values('IP version 5', [(0, 60, 1)], b'\5')
        self.refuses_values('readers show 1970', [(0, 152, 8)], struct.pack('!Q', MS))
        self.refuses_values('end without a start', [(0, 153, 8)], struct.pack('!Q', MS))

    def test_strings(self):
        self.refuses_record('is not UTF-8', user=b'\xff\xfe')
        self.refuses_record('is not UTF-8', user=b'a\xed\xa0\x80')
        self.refuses_record('has a NUL', user=b'ro\0ot')
        self.refuses_record('has a NUL', user=b'root\0')

    def test_fixed_strings(self):
        fields = [(0, 96, 6)]
        self.validator.feed(message(a_set(2, template(fields))))
        good = self.validator.feed(message(a_set(300, b'nginx\0'), a_set(300, bytes(6)),
                                           a_set(300, 'né€'.encode())))
        self.assertEqual([r.text(96) for r in good], ['nginx', '', 'né€'])
        self.refuses_values('has a NUL within', fields, b'ng\0nx\0')
        self.refuses_values('has a NUL within', fields, b'\0nginx')
        self.refuses_values('is not UTF-8', fields, b'abcd\xe2\x82')  # cut inside a character
        self.refuses_values('is not UTF-8', fields, b'abc\xe2\x82\0')

    def test_ntp_times(self):
        fields = [(0, 152, 8), (0, 153, 8), (0, 154, 8), (0, 157, 8)]

        def values(start_ms=MS, end_ms=MS, start=NTP, end=NTP):
            return struct.pack('!QQQQ', start_ms, end_ms, start, end)
        half = NTP + (1 << 31)
        self.validator.feed(message(a_set(2, template(fields))))
        self.validator.feed(message(a_set(300, values(MS, MS + 500, NTP, half + 0x777))))
        self.refuses_values('lies before 2015', fields, values(start=MS * 1000))
        self.refuses_values('more exact than', fields, values(start=NTP + 0x400))
        self.refuses_values('element 154 is not the time', fields, values(start=NTP + (1 << 23)))
        self.refuses_values('element 154 is not the time', fields,
                            values(MS - 1, start=NTP - (1 << 23)))
        self.refuses_values('element 157 is not the time', fields, values(end=half))
        self.refuses_values('2.000 s after the export', fields, values(end=NTP + (2 << 32)))

    def test_events(self):
        def fields(*more):
            return EVENT_FIELDS + list(more)
        self.refuses_values('flowEndReason in a start', fields((0, 136, 1)), event(1) + b'\3')
        for pen, id in ((0, 1), (0, 2), (0, 231), (0, 298), (NTOP, 109)):
            self.refuses_values('counters in a start', fields((pen, id, 4)), event(1) + bytes(4))
        self.refuses_values('a start that lasts', EVENT_FIELDS, event(1, start=MS - 1))
        self.refuses_values('update with flowEndReason 3', fields((0, 136, 1)), event(5) + b'\3')

    def test_flows(self):
        good = (event(1), event(5, end=MS + 1), event(5, end=MS + 2), event(2, end=MS + 3),
                event(2, id=8))
        self.validator.feed(message(EVENTS, *(a_set(500, octets) for octets in good)))

        def refuses_last(text, *octets):
            self.validator = Validator(ELEMENTS)
            self.refuses(text, message(EVENTS), message(*(a_set(500, one) for one in octets)))
        refuses_last('has event 1 twice', event(1), event(1))
        refuses_last('goes on after', event(2), event(5))
        refuses_last('goes on after', event(2), event(1))
        refuses_last('starts after an update', event(5), event(1))
        refuses_last('not the same in all', event(1), event(2, port=1001))
        refuses_last('not the same in all', event(1), event(2, start=MS - 1))

    def test_records_sent_again(self):
        self.validator = Validator(ELEMENTS, transport='tcp')
        self.validator.feed(message(EVENTS, a_set(500, event(1) + event(2))))
        self.validator.begin_session()
        self.validator.feed(message(EVENTS, a_set(500, event(2))))
        self.assertEqual(self.validator.flows.repeated, 1)
        self.refuses('twice', message(a_set(500, event(2, end=MS + 1)), sequence=1))


class TypeRecordTest(Case):
    def test_good(self):
        self.validator.feed(message(TYPE_TEMPLATE, TEMPLATE, TYPES, DATA))
        self.validator.feed(message(TYPES, sequence=2))
        self.validator.end_session()
        self.assertEqual(len(self.validator.options), 2)

    def test_template(self):
        for missing in range(2, len(TYPE_FIELDS)):
            fields = TYPE_FIELDS[:missing] + TYPE_FIELDS[missing + 1:]
            self.refuses('a type record needs', message(a_set(3, template(fields, 400, scopes=2))))
        self.refuses('a type record needs',
                     message(a_set(3, template(TYPE_FIELDS + [(0, 10, 4)], 400, scopes=2))))
        self.refuses('scope of a type record', message(a_set(3, template(TYPE_FIELDS, 400,
                                                                         scopes=1))))
        self.refuses('scope of a type record', message(a_set(3, template(TYPE_FIELDS, 400,
                                                                         scopes=3))))

    def test_values(self):
        def refuses_type(text, **facts):
            self.refuses(text, message(TYPE_TEMPLATE, a_set(400, type_record(**facts))))
        refuses_type('collectors know', pen=0, id=1)
        refuses_type('collectors know', pen=REVERSE, id=1)
        refuses_type('enterprise bit', id=168 | 0x8000)
        refuses_type('unknown element', id=169)
        refuses_type('23 is not assigned', type=23)
        refuses_type('6 is not assigned', semantics=6)
        refuses_type('13 is not assigned', units=13)
        refuses_type('string cannot be identifier', type=13)
        refuses_type('signed32 cannot be flags', type=7, semantics=5)
        refuses_type('float64 cannot be identifier', type=10)
        refuses_type('says .*unsigned64', type=4)
        refuses_type('says .*quantity', semantics=1)
        refuses_type('says .*octets', units=2)
        refuses_type('says .*PID2', name=b'SRC_PROC_PID2')
        refuses_type('no name', name=b'')
        refuses_type('has a NUL', name=b'SRC_PROC_PID\0')
        refuses_type('range 9 to 3', begin=9, end=3)

    def test_stream(self):
        self.refuses('no type record of 35632/168', message(TEMPLATE), end=True)
        # A description is for its domain.
        self.refuses('168 in domain 2', message(TYPE_TEMPLATE, TYPES),
                     message(TEMPLATE, domain=2), end=True)
        self.refuses('comes after data', message(TYPE_TEMPLATE, TEMPLATE, DATA),
                     message(TYPES, sequence=1))
        self.refuses('changes', message(TYPE_TEMPLATE, TYPES),
                     message(a_set(400, type_record(description=b'other')), sequence=1),
                     transport='udp')
        self.refuses('twice in a session', message(TYPE_TEMPLATE, TYPES),
                     message(TYPES, sequence=1), transport='tcp')
        reverse = template([(0, 1, 8), (REVERSE, 1, 8)])
        self.validator = Validator(ELEMENTS)
        self.validator.feed(message(a_set(2, reverse)))
        self.validator.end_session()

    def test_own_elements(self):
        own = a_set(2, template([(OWN, 1, 4)]))
        self.refuses('no type record', message(own), end=True, pen=OWN)
        self.refuses('unknown element', message(TYPE_TEMPLATE,
                                                a_set(400, type_record(OWN, 1, name=b'x'))))
        self.validator = Validator(ELEMENTS, pen=OWN)
        self.validator.feed(message(own, TYPE_TEMPLATE, a_set(400, type_record(OWN, 1, name=b'x'))))
        self.validator.end_session()
        self.refuses('unsigned8 in 4 octets', message(own, TYPE_TEMPLATE,
                                                      a_set(400, type_record(OWN, 1, 1, name=b'x'))),
                     end=True, pen=OWN)
        self.refuses('no octets', message(a_set(2, template([(OWN, 1, 0)])), TYPE_TEMPLATE,
                                          a_set(400, type_record(OWN, 1, 13, 0, name=b'x'))),
                     end=True, pen=OWN)


class StatisticsTest(Case):
    def test_templates(self):
        def refuses_template(text, fields, scopes, domain=0):
            self.refuses(text, message(a_set(3, template(fields, 401, scopes=scopes)),
                                       domain=domain))
        refuses_template('in domain 1', EXPORTING_FIELDS, 1, domain=1)
        refuses_template('not scoped to an exporting', EXPORTING_FIELDS[1:], 1)
        refuses_template('and 1 times', EXPORTING_FIELDS[:-1], 1)
        for missing in range(1, 7):
            refuses_template('exporter statistics have',
                             EXPORTING_FIELDS[:missing] + EXPORTING_FIELDS[missing + 1:], 1)
        refuses_template('not scoped to a metering', [METERING_FIELDS[0], *METERING_FIELDS[2:]], 1)
        refuses_template('of no domain', METERING_FIELDS[1:], 1)
        refuses_template('and 0 times', METERING_FIELDS[:-2], 2)
        refuses_template('metering statistics have', METERING_FIELDS[:3] + METERING_FIELDS[4:], 2)
        refuses_template('scope of observationDomainName', NAME_FIELDS, 2)
        refuses_template('an element twice', EXPORTING_FIELDS + [(0, 323, 8)], 1)
        refuses_template('an element twice', [(0, 149, 4)] + NAME_FIELDS, 1)

    def feed_exporting(self, count, **facts):
        self.validator.feed(message(a_set(401, exporting(**facts)), domain=0, sequence=count))

    def test_counters(self):
        self.validator.feed(message(EXPORTING_TEMPLATE, domain=0))
        self.feed_exporting(0, messages=1, octets=70)
        for facts in ({'messages': 0, 'octets': 70}, {'messages': 1, 'octets': 69}):
            self.refuses('goes down', message(a_set(401, exporting(**facts)), domain=0,
                                              sequence=1))
        self.feed_exporting(1, messages=2, octets=70, not_sent=5)
        self.refuses('166 goes down from 5 to 4',
                     message(a_set(401, exporting(2, 0, 70, 4)), domain=0, sequence=2))
        self.validator.feed(message(METERING_TEMPLATE))
        self.validator.feed(message(a_set(402, metering(packets=3))))
        self.refuses('164 goes down', message(a_set(402, metering(packets=2)), sequence=1))
        self.refuses('last time lies before', message(a_set(402, metering(3, last=MS - 1)),
                                                      sequence=1))
        self.refuses('5.000 s after the export', message(a_set(402, metering(3, last=MS + 5000)),
                                                         sequence=1))
        self.assertEqual(self.validator.statistics.metering[164], 3)

    def test_claims(self):
        preamble = message(EXPORTING_TEMPLATE, domain=0)
        for facts in ({'messages': 3}, {'octets': 999}, {'flows': 1}):
            claim = message(a_set(401, exporting(**facts)), domain=0)
            self.refuses('but \\d+ came', preamble, claim)
            lossy = Validator(ELEMENTS, may_lose=True)
            lossy.feed(preamble)
            lossy.feed(claim)

    def test_prompt(self):
        preamble = (message(TEMPLATE, DATA), message(EXPORTING_TEMPLATE, domain=0),
                    message(a_set(401, exporting()), domain=0))
        octets = sum(map(len, preamble[:2]))

        def claim(messages=2, flows=1, octets=octets):
            return message(a_set(401, exporting(messages, flows, octets)), domain=0, sequence=1)
        for prompt in (False, True):
            validator = Validator(ELEMENTS, prompt=prompt)
            for one in (*preamble, claim()):
                validator.feed(one)
        for facts, id in (({'messages': 1}, 41), ({'flows': 0}, 42), ({'octets': octets - 1}, 40)):
            self.refuses(f'element {id} says \\d+, but \\d+ came before', *preamble, claim(**facts),
                         prompt=True)

    def test_complete(self):
        with self.assertRaisesRegex(Violation, 'no exporter statistics'):
            self.validator.statistics.check_complete(0)
        self.validator.feed(message(TEMPLATE, DATA))
        self.validator.feed(message(EXPORTING_TEMPLATE, domain=0))
        self.feed_exporting(0, messages=2, flows=1, not_sent=3)
        self.validator.statistics.check_complete(4)
        with self.assertRaisesRegex(Violation, '1 came and 3 are told as not sent of 5'):
            self.validator.statistics.check_complete(5)

    def test_restart(self):
        self.validator.feed(message(EXPORTING_TEMPLATE, domain=0))
        self.feed_exporting(0, not_sent=5)
        self.validator.begin_session()
        self.refuses('goes down', message(EXPORTING_TEMPLATE, a_set(401, exporting()), domain=0))
        self.validator.restart_exporter()
        self.validator.feed(message(EXPORTING_TEMPLATE, a_set(401, exporting()), domain=0))

    def test_name(self):
        def name(text=b'host', domain=1):
            return a_set(403, struct.pack('!I', domain) + string(text))
        self.validator.feed(message(NAME_TEMPLATE, name()))
        self.assertEqual(self.validator.domain_names, {1: 'host'})
        self.refuses("is 'host' and 'other'", message(name(b'other'), sequence=1))
        self.refuses('empty name', message(name(b''), sequence=1))
        self.refuses('names domain 7', message(name(domain=7), sequence=1))


class MessageStreamTest(unittest.TestCase):
    def test_pieces(self):
        whole = message(TEMPLATE) + message(DATA) + message(DATA, sequence=1)
        stream = MessageStream()
        got = [m for i in range(len(whole)) for m in stream.feed(whole[i:i + 1])]
        stream.end()
        self.assertEqual(got, [message(TEMPLATE), message(DATA), message(DATA, sequence=1)])
        self.assertEqual(MessageStream().feed(whole), got)

    def test_trouble(self):
        for octets, text in ((message(version=9), 'version 9 where'),
                             (message(length=15), 'message of 15')):
            with self.assertRaisesRegex(Violation, text):
                MessageStream().feed(octets)
        for cut in (1, 3, 15, 20):
            stream = MessageStream()
            stream.feed(message(TEMPLATE) + message(TEMPLATE)[:cut])
            with self.assertRaisesRegex(Violation, f'cut off after {cut} octets'):
                stream.end()

    def test_transport(self):
        with self.assertRaisesRegex(Violation, 'transport sctp'):
            Validator(transport='sctp')


if __name__ == '__main__':
    unittest.main()
