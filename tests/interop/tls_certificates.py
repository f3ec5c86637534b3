# SPDX-License-Identifier: MIT
"""Certificates for tests, made with the openssl command."""
import dataclasses
import pathlib
import subprocess

FOREVER = '20990101000000Z'


def openssl(*arguments, **options):
    subprocess.run(['openssl', *(str(a) for a in arguments)], check=True, capture_output=True,
                   stdin=subprocess.DEVNULL, **options)


@dataclasses.dataclass(frozen=True)
class Identity:
    certificate: pathlib.Path
    key: pathlib.Path


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self, folder, name):
        self.folder = folder / name
        self.folder.mkdir()
        self.certificate, self._key = self.folder / 'ca.pem', self.folder / 'ca.key'
        openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
                '-keyout', self._key, '-out', self.certificate, '-subj', f'/CN={name}',
                '-days', '2')
        (self.folder / 'index').touch()
        (self.folder / 'ca.conf').write_text(
            '[ca]\ndefault_ca = us\n[us]\ndatabase = index\nserial = serial\n'
            'new_certs_dir = .\ncertificate = ca.pem\nprivate_key = ca.key\n'
            'default_md = sha256\npolicy = any\nunique_subject = no\ncopy_extensions = none\n'
            '[any]\ncommonName = supplied\n')

    def issue(self, name, names='', begin='20200101000000Z', end=FOREVER):
        """A certificate with the subjectAltName `names` ("DNS:a,IP:127.0.0.1"), valid for so long."""
        made = Identity(self.folder / f'{name}.pem', self.folder / f'{name}.key')
        request, extensions = self.folder / f'{name}.csr', self.folder / f'{name}.ext'
        openssl('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
                '-keyout', made.key, '-out', request, '-subj', f'/CN={name}')
        extensions.write_text('basicConstraints = CA:false\n' +
                              (f'subjectAltName = {names}\n' if names else ''))
        openssl('ca', '-config', 'ca.conf', '-batch', '-rand_serial', '-notext',
                '-startdate', begin, '-enddate', end, '-extfile', extensions, '-in', request,
                '-out', made.certificate, cwd=self.folder)
        return made


class Certificates:
    """What collectors and exporters may show each other. The collector's name: see COLLECTOR."""

    COLLECTOR = 'collector.example'

    def __init__(self, folder):
        self.authority = Authority(folder, 'authority')
        self.stranger = Authority(folder, 'stranger')
        right = f'DNS:{self.COLLECTOR},DNS:localhost,IP:127.0.0.1,IP:::1'
        self.collector = self.authority.issue('collector', right)
        self.unknown = self.stranger.issue('unknown', right)
        self.expired = self.authority.issue('expired', right, end='20210101000000Z')
        self.future = self.authority.issue('future', right, begin='20980101000000Z')
        self.other_name = self.authority.issue('other-name', 'DNS:other.example,IP:192.0.2.1')
        self.exporter = self.authority.issue('exporter', 'DNS:exporter.example')
        self.unknown_exporter = self.stranger.issue('unknown-exporter', 'DNS:exporter.example')
        self.expired_exporter = self.authority.issue('expired-exporter', 'DNS:exporter.example',
                                                     end='20210101000000Z')

    def of_exporter(self, identity='exporter', server_name=COLLECTOR):
        """`tls:` of a collector in the configuration; identity None: no certificate."""
        keys = {'ca': str(self.authority.certificate)}
        if identity:
            made = getattr(self, identity)
            keys |= {'certificate': str(made.certificate), 'key': str(made.key)}
        if server_name:
            keys['server_name'] = server_name
        return keys
