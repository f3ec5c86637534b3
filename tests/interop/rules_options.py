# SPDX-License-Identifier: MIT
"""The rules for what an exporter tells of itself: type records (RFC 5610), statistics and their
reliability (RFC 7011 4), the domain's name."""
import dataclasses

from rules_elements import (OBSERVATION_TIMES, OCTETS, REVERSE_PEN, SEMANTICS_NUMBERS,
                            TYPE_NUMBERS, UNITS_NUMBERS, is_semantics_allowed, require)
from rules_records import seconds_of

# libfixbuf applies a type record only if it has all of these.
TYPE_FIELDS = {346, 303, 339, 344, 345, 342, 343, 341, 340}
TYPE_SCOPE = {346, 303}
EXPORTED = {40, 41, 42}
NOT_SENT = {166, 167, 168}
IGNORED = {164, 165}
EXPORTER_IDS = {130, 131, 144}
PRIVATE_ELEMENT_BIT = 0x8000


def check_options_template(domain, fields, scopes, own_pen):
    """Which kind it is: 'types', 'exporting', 'metering', 'name' or 'own'."""
    ids = {f.id for f in fields if f.pen == 0}
    scope = {f.id for f in fields[:scopes] if f.pen == 0}
    if ids & TYPE_FIELDS:
        require(ids == TYPE_FIELDS and len(fields) == len(ids),
                f'a type record needs {sorted(TYPE_FIELDS)}, not {sorted(ids)}')
        require(scope == TYPE_SCOPE and scopes == len(scope),
                f'scope of a type record is {sorted(scope)}')
        return 'types'
    times = sum(f.id in OBSERVATION_TIMES for f in fields if f.pen == 0)
    if ids & (EXPORTED | NOT_SENT):
        require(scope & EXPORTER_IDS, 'exporter statistics are not scoped to an exporting process')
        require(domain == 0, f'exporter statistics in domain {domain}')
        require(ids >= EXPORTED | NOT_SENT and times == 2,
                f'exporter statistics have {sorted(ids)} and {times} times')
        return 'exporting'
    if ids & IGNORED:
        require(143 in scope, 'metering statistics are not scoped to a metering process')
        require(domain != 0 or 149 in scope, 'metering statistics of no domain')
        require(ids >= IGNORED and times == 2,
                f'metering statistics have {sorted(ids)} and {times} times')
        return 'metering'
    if 300 in ids:
        require(scope == {149}, f'scope of observationDomainName is {sorted(scope)}')
        return 'name'
    require(own_pen and any(f.pen == own_pen for f in fields), f'options of no known kind: {fields}')
    return 'own'


@dataclasses.dataclass
class Received:
    """What has come from one exporting process, since it began."""
    messages: int = 0
    octets: int = 0
    flow_records: int = 0


class Statistics:
    """Counters never go down, and do not claim more than came."""

    def __init__(self):
        self.last = {}  # (kind, scope) -> {id: count}
        self.received = Received()
        self._received_before = Received()  # when exporter statistics came last

    @property
    def exporting(self):
        """The latest counters of the exporting process; None before the first."""
        return next((counts for (kind, *_), counts in self.last.items() if kind == 'exporting'),
                    None)

    @property
    def metering(self):
        return next((counts for (kind, *_), counts in self.last.items() if kind == 'metering'),
                    None)

    def check(self, kind, record, scope_values, types, message_octets, counts_more, is_prompt):
        counts = {id: record.number(id) for pen, id in record.values
                  if pen == 0 and id in EXPORTED | NOT_SENT | IGNORED}
        before = self.last.get((kind, scope_values), {})
        for id, count in counts.items():
            require(count >= before.get(id, 0),
                    f'element {id} goes down from {before.get(id)} to {count}')
        self.last[kind, scope_values] = counts
        times = [seconds_of(types[key].type, octets) for key, octets, _ in record.fields
                 if key[0] == 0 and key[1] in OBSERVATION_TIMES]
        require(times == sorted(times), f'{kind} statistics: the last time lies before the first')
        if kind != 'exporting':
            return
        # It may count the message that it stands in, and knows not what left while it waited.
        came = {41: (self._received_before.messages, self.received.messages + 1),
                40: (self._received_before.octets, self.received.octets + message_octets),
                42: (self._received_before.flow_records, self.received.flow_records)}
        for id, (least, most) in came.items():
            require(counts_more or counts[id] <= most,
                    f'element {id} says {counts[id]}, but {most} came')
            require(not is_prompt or counts[id] >= least,
                    f'element {id} says {counts[id]}, but {least} came before the last statistics')
        self._received_before = dataclasses.replace(self.received)

    def check_complete(self, made):
        """Of `made` flow records each came or is counted as not sent."""
        require(self.exporting is not None, 'no exporter statistics')
        not_sent = self.exporting[166]
        require(self.received.flow_records + not_sent == made,
                f'{self.received.flow_records} came and {not_sent} are told as not sent of {made}')


class TypeRecords:
    """Of one transport session: the enterprise elements that templates use and those described."""

    def __init__(self):
        self._described = {}  # (domain, pen, id) -> values
        self._used = {}       # (domain, pen, id) -> length in the template
        self._in_data = set()

    def use(self, domain, fields):
        for f in fields:
            if f.pen not in (0, REVERSE_PEN):
                self._used.setdefault((domain, f.pen, f.id), f.length)

    def use_in_data(self, domain, fields):
        self._in_data |= {(domain, f.pen, f.id) for f in fields}

    def describe(self, domain, record, elements, own_pen, is_reliable):
        pen, id = record.number(346), record.number(303)
        key = domain, pen, id
        what = f'type record of {pen}/{id}'
        require(pen != 0 and pen != REVERSE_PEN, f'{what}: collectors know these')
        require(not id & PRIVATE_ELEMENT_BIT, f'{what}: the enterprise bit is set')
        if key in self._described:
            require(not is_reliable, f'{what} twice in a session')
            require(self._described[key] == record.values, f'{what} changes')
            return
        self._described[key] = dict(record.values)
        require(key not in self._in_data, f'{what} comes after data')
        type, semantics, units = (self._word(what, words, record.number(number))
                                  for words, number in ((TYPE_NUMBERS, 339),
                                                        (SEMANTICS_NUMBERS, 344),
                                                        (UNITS_NUMBERS, 345)))
        require(is_semantics_allowed(type, semantics), f'{what}: {type} cannot be {semantics}')
        require(record.text(341), f'{what} has no name')
        begin, end = record.number(342), record.number(343)
        require(begin <= end, f'{what}: range {begin} to {end}')
        known = elements.get((pen, id))
        require(known is not None or (own_pen and pen == own_pen), f'{what}: unknown element')
        if known is not None:
            said = type, record.text(341), semantics, units
            listed = known.type, known.name, known.semantics, known.units
            require(said == listed, f'{what} says {said}, listed is {listed}')

    @staticmethod
    def _word(what, words, number):
        require(number < len(words), f'{what}: {number} is not assigned')
        return words[number]

    def check_complete(self):
        for key, length in self._used.items():
            what = '{}/{} in domain {}'.format(*key[1:], key[0])
            values = self._described.get(key)
            require(values is not None, f'no type record of {what}')
            type = TYPE_NUMBERS[int.from_bytes(values[0, 339], 'big')]
            require(type not in OCTETS or length in OCTETS[type],
                    f'{what}: {type} in {length} octets')
            require(length > 0, f'{what}: no octets')
