# SPDX-License-Identifier: MIT
"""A good message passes ipfix_validator, each way to break it is refused for the right reason."""
import struct
import unittest

import ipfix_validator

FIELDS = [(0, 148, 8), (0, 152, 8), (0, 153, 8), (0, 6, 1), (0, 136, 1), (0, 239, 1), (0, 60, 1),
          (0, 8, 4), (0, 12, 4), (0, 371, 65535), (35632, 168, 4)]
ELEMENTS = {(35632, 168): 'unsigned32'}


def template(fields=None, id=300, count=None):
    fields = FIELDS if fields is None else fields
    body = struct.pack('!HH', id, len(fields) if count is None else count)
    for pen, number, length in fields:
        body += struct.pack('!HH', number | (0x8000 if pen else 0), length)
        body += struct.pack('!I', pen) if pen else b''
    return body


def record(start=1000, end=2000, reason=3, biflow=1, version=4, user=b'root'):
    return (struct.pack('!QQQBBBB', 7, start, end, 2, reason, biflow, version) + b'\x7f\0\0\1' * 2 +
            bytes([len(user)]) + user + struct.pack('!I', 42))


def a_set(id, body, length=None):
    return struct.pack('!HH', id, len(body) + 4 if length is None else length) + body


def message(*sets, version=10, length=None, sequence=0, domain=1, time=1_700_000_000):
    body = b''.join(sets)
    length = len(body) + 16 if length is None else length
    return struct.pack('!HHIII', version, length, time, sequence, domain) + body


TEMPLATE = a_set(2, template())
DATA = a_set(300, record())


class ValidatorTest(unittest.TestCase):
    def setUp(self):
        self.validator = ipfix_validator.Validator(ELEMENTS, 1400)

    def refuses(self, text, *messages):
        for good in messages[:-1]:
            self.validator.feed(good)
        with self.assertRaisesRegex(ipfix_validator.Violation, text):
            self.validator.feed(messages[-1])

    def test_good_messages_pass(self):
        self.assertEqual(self.validator.feed(message(TEMPLATE)), [])
        records = self.validator.feed(message(DATA, a_set(300, record(user=b'') * 2 + b'\0' * 3)))
        self.assertEqual(len(records), 3)
        self.assertEqual(records[0].number(168, 35632), 42)
        self.assertEqual(records[0].text(371), 'root')
        self.assertEqual(len(self.validator.feed(message(TEMPLATE, DATA, sequence=3))), 1)
        self.assertEqual(len(self.validator.feed(message(TEMPLATE, DATA, domain=2))), 1)

    def test_header(self):
        self.refuses('version 9', message(TEMPLATE, version=9))
        self.refuses('header says', message(TEMPLATE, length=99))
        self.refuses('shorter than', message(TEMPLATE)[:15])
        self.refuses('empty message', message())
        self.refuses('export time', message(TEMPLATE, time=0))
        self.refuses('octets, allowed', message(TEMPLATE, a_set(300, record() * 40)))

    def test_sequence(self):
        self.refuses('sequence 5, expected 0', message(TEMPLATE, sequence=5))
        self.refuses('sequence 0, expected 1', message(TEMPLATE, DATA), message(DATA))
        self.refuses('sequence 2, expected 1', message(DATA, sequence=2))

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
        self.refuses('element 136', message(TEMPLATE, a_set(300, record() + b'\0' * 50)))
        self.refuses('padding not zero', message(a_set(2, template() + b'\1')))

    def test_templates(self):
        self.refuses('data before template 300', message(DATA))
        self.refuses('data before template 300', message(TEMPLATE), message(DATA, domain=9))
        self.refuses('changed its meaning', message(TEMPLATE),
                     message(a_set(2, template(FIELDS[:-1]))))
        self.refuses('withdrawal', message(a_set(2, template([]))))
        self.refuses('template id 255', message(a_set(2, template(id=255))))
        self.refuses('template beyond', message(a_set(2, template(count=12))))
        self.refuses('twice', message(a_set(2, template(FIELDS[:1] * 2, id=301))))

    def test_elements(self):
        def refuses_field(text, *field):
            self.refuses(text, message(a_set(2, template([field], id=400))))
        refuses_field('deprecated element 209', 0, 209, 1)
        refuses_field('deprecated element 64', 0, 64, 4)
        refuses_field('unknown element', 35632, 9999, 4)
        refuses_field('unsigned64 in 9 octets', 0, 148, 9)
        refuses_field('unsigned64 in 65535 octets', 0, 148, 65535)
        refuses_field('dateTimeMilliseconds in 4 octets', 0, 152, 4)
        refuses_field('ipv4Address in 16 octets', 0, 8, 16)
        refuses_field('string in 0 octets', 0, 371, 0)
        refuses_field('tcpControlBits not in one', 0, 6, 2)

    def test_values(self):
        def refuses_record(text, **facts):
            self.refuses(text, message(TEMPLATE, a_set(300, record(**facts))))
        refuses_record('ends before', start=2001)
        refuses_record('element 136 has the value 0', reason=0)
        refuses_record('element 136 has the value 6', reason=6)
        refuses_record('element 239 has the value 0', biflow=0)
        refuses_record('addresses are missing', version=6)
        refuses_record('is not UTF-8', user=b'\xff\xfe')
        refuses_record('is not UTF-8', user=b'a\xed\xa0\x80')
        refuses_record('has a NUL', user=b'ro\0ot')

    def test_records(self):
        self.refuses('record beyond', message(TEMPLATE, a_set(300, record(user=b'x' * 9)[:-1])))
        self.refuses('data set without', message(TEMPLATE, a_set(300, b'\0')))

    def test_element_list(self):
        header = 'pen,id,name,type,semantics,units,status'
        read = ipfix_validator.read_elements
        self.assertEqual(read([header, '35632,168,X,unsigned32,,,current']), ELEMENTS)
        with self.assertRaisesRegex(ipfix_validator.Violation, 'deprecated'):
            read([header, '0,209,x,unsigned8,,,deprecated'])
        with self.assertRaisesRegex(ipfix_validator.Violation, 'no unsigned8'):
            read([header, '0,6,tcpControlBits,unsigned8,,,current'])


if __name__ == '__main__':
    unittest.main()
