# SPDX-License-Identifier: MIT
"""Capture files that Debian packages bring along, unpacked and never installed."""
import fcntl
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / 'packaging'))
from private_apt import Unobtainable, debian_config, run

SUITE = 'bookworm'
# 9 MB together. All but librust-netlink-packet-route-dev have TCP in them.
PACKAGES = (
    'golang-github-google-gopacket-dev', 'golang-github-gopacket-gopacket-dev',
    'librust-netlink-packet-route-dev', 'pathspider', 'pcapfix', 'pktanon', 'python3-dpkt',
    'python3-libtrace', 'ruby-pcaprub')
SUFFIXES = ('.pcap', '.pcapng', '.cap', '.pcap.gz')


def fetch(cache):
    """(package, path) of each file. The packages are downloaded once into a folder below `cache`;
    raises private_apt.Unobtainable."""
    cache = pathlib.Path(cache).resolve()
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / 'captures'
    with open(cache / 'captures.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = [name for name in PACKAGES if not (folder / name).exists()]
        if missing:
            folder.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(prefix='captures.', dir=cache) as temporary:
                _unpack(missing, pathlib.Path(temporary), folder)
    return [(name, path) for name in PACKAGES for path in sorted((folder / name).rglob('*'))
            if path.is_file() and path.name.endswith(SUFFIXES)]


def _unpack(names, temporary, folder):
    config = debian_config(temporary / 'apt', [SUITE])
    run(['apt-get', 'download', *names], config, temporary)
    for archive in temporary.glob('*.deb'):
        name = archive.name.partition('_')[0]
        run(['dpkg-deb', '-x', archive, temporary / name])
        (temporary / name).rename(folder / name)
