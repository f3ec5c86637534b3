# SPDX-License-Identifier: MIT
"""Debian's Prometheus, unpacked and never installed: its package would start it for good."""
import fcntl
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / 'packaging'))
from private_apt import Unobtainable, debian_config, run  # noqa: E402

SUITE = 'bookworm'
PACKAGE = 'prometheus'


def fetch(cache):
    """The folder with prometheus and promtool. Downloaded once into a folder below `cache`; raises
    Unobtainable."""
    cache = pathlib.Path(cache).resolve()
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / PACKAGE
    with open(cache / f'{PACKAGE}.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(prefix=f'{PACKAGE}.', dir=cache) as name:
                temporary = pathlib.Path(name)
                config = debian_config(temporary / 'apt', [SUITE])
                run(['apt-get', 'download', PACKAGE], config, temporary)
                archive, = temporary.glob(f'{PACKAGE}_*.deb')
                run(['dpkg-deb', '-x', archive, temporary / PACKAGE])
                (temporary / PACKAGE).rename(folder)
    return folder / 'usr/bin'


__all__ = ['Unobtainable', 'fetch']
