# SPDX-License-Identifier: MIT
"""Whom our agent sends records to over TLS and DTLS (RFC 7011 11.3), with openssl as the collector.

tls_test.py SOCKFLOW
"""
import contextlib
import dataclasses
import json
import pathlib
import re
import sys
import tempfile
import time

import tls_certificates
import tls_server
from tls_server import programs
from receiver import ipfix_validator, read_elements
from programs import check

SOURCE = programs.own_address()
SESSIONS = 3
# Old enough a protocol to be forbidden by the library's own default.
ANY_LEVEL = ('-cipher', 'DEFAULT:@SECLEVEL=0')
SECONDS = 15


@dataclasses.dataclass
class Case:
    name: str
    scheme: str = 'tls'
    collector: str = 'collector'        # the certificate that it shows
    exporter: str | None = 'exporter'   # ours
    options: tuple = ()                 # of openssl s_server
    host: str = '127.0.0.1'             # in our URL
    server_name: str | None = tls_certificates.Certificates.COLLECTOR
    words: str | None = None            # in the log, if the collector is refused or refuses us
    server: object = None

    @property
    def url(self):
        return f'{self.scheme}://{self.host}:{self.server.port}'


def cases():
    for scheme, old, other in (('tls', '-tls1_1', '-tls1_3'), ('dtls', '-dtls1', '-dtls1_2')):
        yield from (
            Case(f'{scheme}: right', scheme),
            Case(f'{scheme}: right, by {other[1:]}', scheme, options=(other,)),
            Case(f'{scheme}: right, named by our URL', scheme, host='localhost', server_name=None),
            Case(f'{scheme}: right, an address in our URL', scheme, server_name=None),
            Case(f'{scheme}: of an unknown CA', scheme, 'unknown',
                 words='certificate.*(unknown|unable to get local issuer|not trusted)'),
            Case(f'{scheme}: expired', scheme, 'expired', words='certificate.*expired'),
            Case(f'{scheme}: not yet valid', scheme, 'future', words='certificate.*not valid before'),
            Case(f'{scheme}: wrong name', scheme, 'other_name',
                 words=f'{tls_certificates.Certificates.COLLECTOR}'),
            Case(f'{scheme}: wrong name in our URL', scheme, 'other_name', host='localhost',
                 server_name=None, words='localhost.*(name|certificate)'),
            Case(f'{scheme}: wrong address', scheme, 'other_name', server_name=None,
                 words=r'127\.0\.0\.1.*(address|name|certificate)'),
            Case(f'{scheme}: no certificate of ours', scheme, exporter=None,
                 words='certificate'),
            Case(f'{scheme}: ours of a CA unknown there', scheme, exporter='unknown_exporter',
                 words='unknown ca'),
            Case(f'{scheme}: ours has expired', scheme, exporter='expired_exporter',
                 words='certificate.*expired|expired.*certificate'),
            Case(f'{scheme}: only {old[1:]} there', scheme, options=(old, *ANY_LEVEL),
                 words='version|protocol'),
            Case(f'{scheme}: nothing encrypted there', scheme,
                 options=('-dtls1_2' if scheme == 'dtls' else '-tls1_2', '-cipher',
                          'eNULL:@SECLEVEL=0'), words='handshake failure|cipher'),
        )
    yield Case('tls: only tls1 there', options=('-tls1', *ANY_LEVEL), words='version|protocol')


def complaints(agent, case):
    # With the scheme: a UDP port and a TCP port may have the same number.
    pattern = re.compile(rf'(?i)(warning|error) .*\b{re.escape(case.url)}\b')
    return [line for line in agent.lines if pattern.search(line)]


def is_decided(agent, case):
    return complaints(agent, case) if case.words else case.server.octets


def judge(agent, case):
    """What is wrong, or None."""
    said = complaints(agent, case)
    case.server.stop()
    if case.words is None:
        if said:
            return f'complains: {said}'
        # A close_notify ends what was sent (RFC 7011 10.4.4 and 11.1).
        if 'unexpected eof' in case.server.said:
            return f'no close_notify: {case.server.said}'
        receiver = case.server.receiver
        receiver.finish()
        if len(receiver.records) != 4 * SESSIONS:
            return f'{len(receiver.records)} records of {4 * SESSIONS}'
        return None
    if case.server.octets:
        return f'{len(case.server.octets)} octets were exported'
    if not any(re.search('(?i)' + case.words, line) for line in said):
        return f'no "{case.words}" in {said}'
    if not re.search(f'{re.escape(case.url)}: exported 0 records in 0 messages, '
                     f'lost {4 * SESSIONS} records', agent.lines[-1]):
        return f'what was lost is not counted: {agent.lines[-1]}'
    # Of our own certificate, of the attempt, and of what is lost by it.
    if len(said) > (3 if case.exporter == 'expired_exporter' else 2):
        return f'too many complaints: {said}'
    return None


def run(sockflow, folder):
    elements = read_elements(sockflow)
    certificates = tls_certificates.Certificates(folder)
    with contextlib.ExitStack() as stack:
        all_cases = list(cases())
        for case in all_cases:
            case.server = stack.enter_context(tls_server.Server(
                elements, case.scheme, getattr(certificates, case.collector),
                certificates.authority, *case.options))
        config = {
            'bpf': {'source_host': SOURCE},
            'collectors': [{'url': case.url,
                            'tls': certificates.of_exporter(case.exporter, case.server_name)}
                           for case in all_cases],
            'exporter': {'interval_seconds': 0, 'shutdown_seconds': 1}}
        agent = stack.enter_context(sockflow.agent(config=json.dumps(config)))
        for _ in range(SESSIONS):
            programs.make_session(source=SOURCE)
        deadline = time.monotonic() + SECONDS
        while (time.monotonic() < deadline and
               not all(is_decided(agent, case) for case in all_cases)):
            time.sleep(0.1)
        agent.stop()
        mistakes = 0
        for case in all_cases:
            try:
                wrong = judge(agent, case)
            except ipfix_validator.Violation as violation:
                wrong = str(violation)
            mistakes += wrong is not None
            print(f'{case.name}: {wrong or "ok"}')
            for line in complaints(agent, case):
                print(f'    {line}')
        check(not mistakes, f'{mistakes} of {len(all_cases)} cases:\n{agent.log}')
    refuse_files(sockflow, certificates)


def refuse_files(sockflow, certificates):
    """Certificates and keys that are missing or do not fit: the configuration is refused."""
    good = certificates.of_exporter()
    garbage = sockflow.folder / 'garbage.pem'
    garbage.write_text('no certificate\n')
    for key, value in (('ca', '/no-such-file'), ('certificate', '/no-such-file'),
                       ('key', '/no-such-file'), ('ca', str(garbage)),
                       ('certificate', str(garbage)), ('key', str(garbage)),
                       ('certificate', str(sockflow.folder)), ('key', str(sockflow.folder)),
                       ('key', str(certificates.unknown_exporter.key)), ('key', None),
                       ('certificate', None)):
        for scheme in ('tls', 'dtls'):
            tls = {name: path for name, path in (good | {key: value}).items() if path}
            text = (f'collectors:\n  - url: {scheme}://127.0.0.1:4740\n    tls:\n' +
                    ''.join(f'      {name}: {path}\n' for name, path in tls.items()))
            with sockflow.agent(config=text, ready=False, tier=False) as agent:
                status = agent.join(10)
            check(status == 2, f'{key}: {value}: exit status {status}\n{agent.log}')
            # What is wrong within a file is found later, at the line of "tls:".
            check(re.search(rf'config\d+\.yaml:\d+: collectors\.tls(: tls)?\.'
                            rf'({key}|certificate|key)\b', agent.log), f'{key}: {value}: no place in:\n{agent.log}')
            if scheme == 'tls':
                print(f'    {agent.lines[-1]}')


def main():
    with tempfile.TemporaryDirectory() as folder:
        sockflow = programs.Sockflow(sys.argv[1], pathlib.Path(folder))
        sockflow.skip_unless_it_captures()
        try:
            run(sockflow, pathlib.Path(folder))
        except (programs.Failure, ipfix_validator.Violation) as failure:
            sys.exit(f'FAILED: {failure}')


if __name__ == '__main__':
    main()
