# SPDX-License-Identifier: MIT
"""ssflow's decoder cannot be had: a reader of ours of the layout that it knows.

One template, number 256: addresses, ports, protocol, when in seconds, then event and process
name as strings under the numbers 34001 and 34000 with the enterprise bit, but without the
enterprise number that should follow (so that no reader of RFC 7011 finds the next field).
"""
import datetime
import ipaddress
import struct

from programs import check, skip

PROFILES = ('ssflow',)
TEMPLATE = struct.pack('!HH', 256, 8) + b''.join(
    struct.pack('!HH', *field) for field in ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (150, 4),
                                             (0x84d1, 0xffff), (0x84d0, 0xffff)))
FIXED = struct.Struct('!4s4sHHBI')
EVENTS = {'start': 1, 'end': 2}


def read_string(octets, at):
    length = octets[at]
    check(length < 255 and at + 1 + length <= len(octets), f'a string of {length} octets')
    return octets[at + 1:at + 1 + length].decode(), at + 1 + length


def read_message(message):
    """Its records; it has the template and then the data."""
    version, length = struct.unpack_from('!HH', message)
    check((version, length) == (10, len(message)), f'version {version}, {length} octets')
    at, records = 16, []
    template = None
    while at < length:
        set_id, octets = struct.unpack_from('!HH', message, at)
        check(octets >= 4 and at + octets <= length, f'a set of {octets} octets')
        body = message[at + 4:at + octets]
        if set_id == 2:
            template = body[:len(TEMPLATE)]
            check(template == TEMPLATE, f'another template: {body.hex()}')
        else:
            check(set_id == 256 and template, f'a set {set_id}')
            records += read_records(body)
        at += octets
    return records


def read_records(body):
    at = 0
    while len(body) - at >= FIXED.size + 2:
        source, destination, source_port, destination_port, protocol, seconds = FIXED.unpack_from(
            body, at)
        event, at = read_string(body, at + FIXED.size)
        process, at = read_string(body, at)
        yield {'source': str(ipaddress.ip_address(source)),
               'destination': str(ipaddress.ip_address(destination)),
               'source_port': source_port, 'destination_port': destination_port,
               'protocol': protocol, 'seconds': seconds, 'event': EVENTS[event],
               'application': process}
    check(not any(body[at:]), f'no padding: {body[at:].hex()}')


def show(record):
    start = datetime.datetime.fromtimestamp(record['seconds'], datetime.timezone.utc)
    event = next(name for name, number in EVENTS.items() if number == record['event'])
    return (f'{start:%Y-%m-%d %H:%M:%S} {event:5} {record["application"]:15} '
            f'{record["source"]}:{record["source_port"]} > '
            f'{record["destination"]}:{record["destination_port"]} {record["protocol"]}')


def test(case):
    samples = sorted(case.shared.glob('testdata/ssflow/*.bin'))
    for sample in samples:
        events = int(sample.stem.split('_')[-2])
        read = read_message(sample.read_bytes())
        check(len(read) == events, f'{sample}: {len(read)} events')
    exported = case.export()
    records = [record for message in exported.messages for record in read_message(message)]
    known = [r for r in records if case.is_known(r['source_port'], r['destination_port'])]
    case.compare(known, lambda session: session['destination'] == '127.0.0.1')
    case.screen('\n'.join(sorted({show(record) for record in known}, reverse=True)))
    if not samples:
        skip('the export is as our reader of the layout wants it, but there are no messages of '
             f'ssflow itself to prove that reader: {case.shared / "testdata/ssflow"} is missing')
