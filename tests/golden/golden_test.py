#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Capture files in, records out: golden_test.py SOCKFLOW [CASE...]

Each case is cases/NAME.packets (capture_writer.py) and cases/NAME.golden, what `sockflow run --read`
prints of it, whatever the format of the file. SOCKFLOW_WRITE_GOLDEN=1 writes the golden files anew: read
the difference before it is committed.
"""
import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import capture_writer

CASES = pathlib.Path(__file__).resolve().with_name('cases')
WRITE = os.environ.get('SOCKFLOW_WRITE_GOLDEN') == '1'
OF_THE_EXPORT = ('exportTime', 'observationDomainId')
# What a file says nothing of.
NO_PROCESS = {'applicationName': '', 'userName': '', 'SRC_PROC_PID': 0, 'SRC_PROC_UID': 4294967295,
              'processStartNanosecondsSinceBoot': 0, 'processAttributionQuality': 0,
              'processThreadName': '', 'processThreadId': 0, 'processCgroupId': 0,
              'processCgroupPath': '', 'processContainerRuntime': '', 'networkNamespaceInode': 0,
              'socketCookie': 0,
              **{f'{side}{what}': '' for side in ('source', 'destination')
                 for what in ('PodNamespace', 'PodName', 'NodeName', 'PodWorkload', 'PodLabels')},
              **{f'{side}PodUUID': '0' * 32 for side in ('source', 'destination')}}


def without_vlans(packets):
    return [dict(packet, vlan=None) for packet in packets]


def formats(packets):
    """name -> the same packets as a file."""
    files = {
        'pcap': capture_writer.pcap(packets),
        'pcap big-endian': capture_writer.pcap(packets, order='>'),
        'pcap cut to 96 octets': capture_writer.pcap(packets, snap_length=96),
        'pcap.gz': gzip.compress(capture_writer.pcap(packets)),
    }
    bare = without_vlans(packets)
    for name, link_type in (('raw', capture_writer.RAW), ('loopback', capture_writer.NULL),
                            ('cooked', capture_writer.SLL), ('cooked v2', capture_writer.SLL2)):
        files[f'pcap {name}'] = capture_writer.pcap(bare, link_type)
    files['pcapng'] = capture_writer.pcapng(packets)
    files['pcapng big-endian'] = capture_writer.pcapng(packets, order='>')
    return files


def read(sockflow, path, *arguments):
    """Exit status, the printed records, the log."""
    done = subprocess.run([sockflow, 'run', '--config', '/dev/null', '--read', path, '--print=json',
                           '--collector', f'file:{path}.ipfix', '--profile', 'iana', *arguments],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def golden_form(printed):
    lines = []
    for line in printed.splitlines():
        record = json.loads(line)
        if 'firewallEvent' not in record:
            continue  # of the exporter itself
        if any(record.get(key, value) != value for key, value in NO_PROCESS.items()):
            lines.append(f'a process from nowhere: {record}')
        lines.append(json.dumps({key: value for key, value in record.items()
                                 if key not in NO_PROCESS and key not in OF_THE_EXPORT
                                 and not key.startswith("SRC_")}))
    return ''.join(line + '\n' for line in lines)


def run_case(sockflow, case, folder):
    packets = capture_writer.read(case.read_text())
    golden = case.with_suffix('.golden')
    faults = []
    for name, octets in formats(packets).items():
        path = folder / 'capture'
        path.write_bytes(octets)
        status, printed, log = read(sockflow, path)
        text = golden_form(printed)
        if WRITE:
            golden.write_text(text)
            return []
        if status != 0 or text != golden.read_text():
            faults.append(f'{case.stem}, {name}: status {status}\n{log}\ngot:\n{text}\n'
                          f'wanted:\n{golden.read_text()}')
    return faults


def main():
    sockflow, *chosen = sys.argv[1:]
    faults, cases = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for case in sorted(CASES.glob('*.packets')):
            if chosen and case.stem not in chosen:
                continue
            cases += 1
            found = run_case(sockflow, case, pathlib.Path(folder))
            print(f'{"FAILED" if found else "ok"}: {case.stem}')
            faults += found
    for fault in faults:
        print(fault)
    print(f'{cases} cases, {len(faults)} faults')
    return 1 if faults or not cases else 0


if __name__ == '__main__':
    sys.exit(main())
