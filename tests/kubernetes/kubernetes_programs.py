# SPDX-License-Identifier: MIT
"""Builds the programs of Kubernetes that Debian 12 does not have, once, into a folder of the build directory.

kubernetes_programs.py CACHE PROGRAM...   prints the folder that has them

Which version, and of what, says go.mod beside this file; go.sum has the checksum of each module. Debian's Go
(golang-go, 1.19) builds versions up to 1.26 of Kubernetes. To move on: `go get -d
k8s.io/kubernetes/cmd/PROGRAM@VERSION` here, the new version in all lines of `replace` (of v1.A.B the parts
are v0.A.B).
"""
import hashlib
import os
import pathlib
import re
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / 'interop'), str(HERE.parent / 'e2e')]

import fetch  # noqa: E402

SECONDS = 3600
# Without the clouds' own libraries and without Docker's.
TAGS = 'providerless,dockerless'


def version():
    found = re.search(r'k8s\.io/kubernetes (v1\.(\d+)\.\d+)', (HERE / 'go.mod').read_text())
    return found[1], found[2]


def debian_go():
    # Before others of this machine: newer ones do not build this.
    own = pathlib.Path('/usr/bin/go')
    return own if own.exists() else fetch.need('go', 'golang-go')


def built(cache, names):
    """The folder that has the programs of these names."""
    sources = [HERE / 'go.mod', HERE / 'go.sum']
    key = hashlib.sha256(b''.join(s.read_bytes() for s in sources) + TAGS.encode()).hexdigest()[:12]
    whole, minor = version()
    folder = pathlib.Path(cache).resolve() / f'{whole}-{key}'
    missing = [name for name in names if not (folder / 'bin' / name).exists()]
    if not missing:
        return folder / 'bin'
    module = folder / 'module'
    module.mkdir(parents=True, exist_ok=True)
    for source in sources:
        shutil.copy(source, module)
    environment = {**os.environ, 'GOMODCACHE': str(folder / 'mod'), 'GOCACHE': str(folder / 'cache'),
                   'CGO_ENABLED': '0', 'GOTOOLCHAIN': 'local',
                   # What go.sum does not vouch for is not taken; else "rm -r build" would fail.
                   'GOFLAGS': '-mod=readonly -modcacherw -trimpath -buildvcs=false'}
    environment.pop('GOROOT', None)
    where = 'k8s.io/component-base/version'
    flags = (f'-s -w -X {where}.gitVersion={whole} -X {where}.gitMajor=1 -X {where}.gitMinor={minor} '
             f'-X {where}.gitTreeState=clean')
    for name in missing:
        print(f'building {name} {whole}, which takes minutes', file=sys.stderr, flush=True)
        # Under another name until it is whole.
        part = folder / 'bin' / f'.{name}.{os.getpid()}'
        fetch.run(['nice', '-n', '10', debian_go(), 'build', '-p', '2', '-tags', TAGS, '-ldflags', flags,
                   '-o', part, f'k8s.io/kubernetes/cmd/{name}'],
                  f'{name} of Kubernetes {whole}', SECONDS, cwd=module, env=environment)
        part.rename(folder / 'bin' / name)
    # The programs are enough.
    for unneeded in ('mod', 'cache', 'module'):
        shutil.rmtree(folder / unneeded, ignore_errors=True)
    return folder / 'bin'


if __name__ == '__main__':
    print(built(sys.argv[1], sys.argv[2:]))
