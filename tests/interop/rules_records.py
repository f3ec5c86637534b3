# SPDX-License-Identifier: MIT
"""The rules for single flow records, and for all records of one flow."""
from rules_elements import COUNTERS, REVERSE_PEN, VARIABLE, Violation, require

NTP_TO_UNIX = 2208988800  # seconds from 1900 to 1970
YEAR_2015 = 1420070400
# Between the export time, which has whole seconds, and the end of a flow in that second; with what a
# mapped clock may be off.
EXPORT_TIME_SLACK = 1.5
START, END, UPDATE = 1, 2, 5
ACTIVE_TIMEOUT = 2
ALLOWED = {136: range(1, 6), 239: (1,), 61: (0, 1), 233: (START, END, UPDATE), 4: (6,)}
# (milliseconds, the same time in microseconds or nanoseconds)
SAME_TIMES = ((152, 154), (153, 155), (152, 156), (153, 157))


def seconds_of(type, octets):
    """Seconds since 1970 of a value of one of the dateTime types."""
    number = int.from_bytes(octets, 'big')
    if type == 'dateTimeSeconds':
        return number
    if type == 'dateTimeMilliseconds':
        return number / 1000
    if type == 'dateTimeMicroseconds':
        require(number & 0x7ff == 0, f'a time more exact than microseconds: {octets.hex()}')
    return number / 2**32 - NTP_TO_UNIX


def check_string(key, octets, length):
    text = octets
    if length != VARIABLE:
        text = octets.rstrip(b'\0')
    require(0 not in text, f'element {key} has a NUL within its text: {octets!r}')
    try:
        text.decode('utf-8', 'strict')
    except UnicodeDecodeError:
        raise Violation(f'element {key} is not UTF-8: {octets!r}') from None


def has_rules(type):
    """check_value looks at values of this type."""
    return type in ('string', 'boolean') or type.startswith('dateTime')


def check_value(key, type, octets, length, export_time):
    """Rules for one value of any record, of a type that has rules."""
    if type == 'string':
        check_string(key, octets, length)
    elif type == 'boolean':
        require(octets in (b'\1', b'\2'), f'element {key} is no boolean: {octets!r}')
    else:
        seconds = seconds_of(type, octets)
        require(seconds >= YEAR_2015, f'element {key} lies before 2015: {seconds}')
        require(seconds <= export_time + EXPORT_TIME_SLACK,
                f'element {key} lies {seconds - export_time:.3f} s after the export time')


def check_flow_record(record, types):
    event = record.number(233)
    for id, values in ALLOWED.items():
        value = record.number(id)
        require(value is None or value in values, f'element {id} has the value {value}')
    start, end = record.number(152), record.number(153)
    require(start is None or end is None or start <= end, 'the flow ends before it starts')
    require(start is None or end is not None, 'a start without an end: readers show 1970')
    require(end is None or start is not None, 'an end without a start')
    for coarse, fine in SAME_TIMES:
        if (0, coarse) in record.values and (0, fine) in record.values:
            exact = seconds_of(types[0, fine].type, record.values[0, fine])
            # 2 us: the fraction of a second is cut to 1/2^21 s.
            require(-2e-6 <= exact - record.number(coarse) / 1000 < 0.001 + 2e-6,
                    f'element {fine} is not the time of element {coarse}')
    version = record.number(60)
    if version is not None:
        require(version in (4, 6), f'IP version {version}')
        wanted, other = ((8, 12), (27, 28)) if version == 4 else ((27, 28), (8, 12))
        require(all((0, id) in record.values for id in wanted), 'addresses are missing')
        require(not any((0, id) in record.values for id in other), 'addresses of both versions')
    if event == START:
        require((0, 136) not in record.values, 'flowEndReason in a start')
        counters = sorted(COUNTERS & record.values.keys())
        require(not counters, f'counters in a start: {counters}')
        require(start == end, 'a start that lasts')
    elif event == UPDATE:
        require(record.number(136) in (None, ACTIVE_TIMEOUT),
                f'an update with flowEndReason {record.number(136)}')
    if any(pen == REVERSE_PEN for pen, _ in record.values):
        require(record.number(239) is not None, 'reverse elements without biflowDirection')


class Flows:
    """Of each flow at most one start, then updates, then at most one end; a record that was lost may
    be missing."""

    # What stays the same: addresses, ports, protocol, direction, start.
    CONSTANT = (4, 7, 8, 11, 12, 27, 28, 60, 61, 152)

    def __init__(self):
        self.repeated = 0  # records that a session which broke has left to be sent again
        self._facts = {}   # (domain, flowId) -> constant values
        self._seen = {}    # (domain, flowId, event) -> (session, values)

    def note(self, domain, session, record):
        id, event = record.number(148), record.number(233)
        if id is None or event is None:
            return
        flow = domain, id
        facts = [record.values.get((0, i)) for i in self.CONSTANT]
        known = self._facts.setdefault(flow, facts)
        # A profile may lack some, not a record.
        require(known == facts, f'flow {id} is not the same in all its records')
        before = self._seen.get((*flow, event))
        if before and before[0] != session and before[1] == record.values:
            self.repeated += 1
            return
        if event != UPDATE:
            require(before is None, f'flow {id} has event {event} twice')
        require((*flow, END) not in self._seen, f'flow {id} goes on after its end')
        if event == START:
            require((*flow, UPDATE) not in self._seen, f'flow {id} starts after an update')
        self._seen[(*flow, event)] = session, dict(record.values)
