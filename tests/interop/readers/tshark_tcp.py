# SPDX-License-Identifier: MIT
"""Wireshark's dissector over TCP, where it puts the messages together again."""
import export
import fetch
from readers import tshark

PROFILES = ('process',)


def test(case):
    fetch.need('tshark', 'tshark')
    with export.StreamReceiver(case.elements) as stream:
        case.port = stream.port
        case.export(stream.url)
        stream.wait_for_end()
        stream.finish()
    export.write_stream_pcap(stream.sessions[-1].octets, stream.port, case.sessions.end,
                             case.folder / tshark.CAPTURE)
    tshark.check_capture(case, 'TCP')
