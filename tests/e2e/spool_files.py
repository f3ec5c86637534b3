# SPDX-License-Identifier: MIT
"""What waits in a spool, found without the code that wrote it (src/delivery/segment.h has the shape)."""
import struct
import zlib

MAGIC = b'SFSPOOL\n'
FIRST_ENTRY = 36
ENTRY_HEADER = 24
POSITION_AT = 16


def entries_of(octets):
    """(offset, mark, records) of each whole entry."""
    at = FIRST_ENTRY
    while at + ENTRY_HEADER <= len(octets):
        mark, length, records, _, header_crc, crc = struct.unpack_from('>6I', octets, at)
        message = octets[at + ENTRY_HEADER:at + ENTRY_HEADER + length]
        if zlib.crc32(octets[at:at + 16]) != header_crc or zlib.crc32(message) != crc:
            return
        yield at, mark, records
        at += ENTRY_HEADER + length


def records_in(directory):
    """In whole entries that were not consumed."""
    count = 0
    for path in directory.glob('segment-*'):
        octets = path.read_bytes()
        if not octets.startswith(MAGIC) or len(octets) < FIRST_ENTRY:
            continue
        position = struct.unpack_from('>I', octets, POSITION_AT)[0]
        entries = list(entries_of(octets))
        # Those of the preamble come first.
        count += sum(records for at, mark, records in entries
                     if mark != entries[0][1] and at >= position)
    return count
