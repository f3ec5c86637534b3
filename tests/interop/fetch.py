# SPDX-License-Identifier: MIT
"""Gets the programs that Debian does not have, once, into a folder below the build directory.

Needs only Debian packages (packaging/dependencies.sh test), the Go module proxy and PyPI.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys

import programs

GOFLOW2 = 'github.com/netsampler/goflow2/v2/cmd/goflow2@v2.2.6'
# What the go.mod of goflow2 asks for. Debian's Go is older and cannot switch by itself.
GO_MAJOR_MINOR = (1, 24)
GO_TOOLCHAIN = 'golang.org/toolchain@v0.0.1-go1.24.1.linux-{arch}'
PYTHON_NETFLOW = 'netflow==0.12.2'
TIMEOUT = 900


def need(program, package):
    """Skips the test, and says what to do, where the program of a Debian package is missing."""
    found = shutil.which(program)
    if found is None:
        programs.skip(f'{program} is not there: apt-get install --no-install-recommends {package}')
    return found


def run(arguments, what, seconds=TIMEOUT, **options):
    """What the command says; without it the test is skipped, and told why."""
    try:
        done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True,
                              timeout=seconds, **options)
    except subprocess.TimeoutExpired:
        programs.skip(f'{what} cannot be had within {seconds} s; run the test again, what has come '
                      'so far is kept')
    if done.returncode != 0:
        programs.skip(f'{what} cannot be had; it needs the network, or GOPROXY or PIP_INDEX_URL of '
                      f'a mirror; "{" ".join(map(str, arguments))}" said:\n{done.stderr[-2000:]}')
    return done.stdout


def _make_toolchain_run(root):
    """What a newer `go` does itself after it has loaded a toolchain as a module."""
    for program in (*root.glob('bin/*'), *root.glob('pkg/tool/*/*')):
        program.chmod(0o755)
    # A module may not hold another one: their go.mod files come under another name.
    for masked in (root / 'src/_go.mod', root / 'src/cmd/_go.mod'):
        if masked.exists():
            masked.rename(masked.with_name('go.mod'))


def _go(environment):
    """A `go` that is new enough for GOFLOW2."""
    go = need('go', 'golang-go')
    # "go version go1.19.8 linux/amd64"
    version = run([go, 'version'], 'go', env=environment).split()[2]
    if tuple(int(n) for n in version.removeprefix('go').split('.')[:2]) >= GO_MAJOR_MINOR:
        return go
    arch = run([go, 'env', 'GOARCH'], 'go', env=environment).strip()
    module = run([go, 'mod', 'download', '-json', GO_TOOLCHAIN.format(arch=arch)],
                 'a newer Go', env=environment)
    root = pathlib.Path(json.loads(module)['Dir'])
    _make_toolchain_run(root)
    return root / 'bin/go'


def goflow2(folder):
    """The path of the program."""
    folder = pathlib.Path(folder).resolve() / 'go'
    program = folder / 'bin' / GOFLOW2.rpartition('@')[2] / 'goflow2'
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, 'GOMODCACHE': str(folder / 'mod'), 'GOBIN': str(program.parent),
                       'GOCACHE': str(folder / 'cache'), 'GOTOOLCHAIN': 'local',
                       # Else "rm -r build" fails.
                       'GOFLAGS': '-modcacherw'}
        environment.pop('GOROOT', None)
        run([_go(environment), 'install', GOFLOW2], 'goflow2', cwd=folder, env=environment)
        # The program is enough.
        for unneeded in ('mod', 'cache'):
            shutil.rmtree(folder / unneeded, ignore_errors=True)
    return program


def python_netflow(folder):
    """A Python that knows the package."""
    environment = pathlib.Path(folder).resolve() / PYTHON_NETFLOW.replace('==', '-')
    python = environment / 'bin/python3'
    if not (environment / 'complete').exists():
        run([sys.executable, '-m', 'venv', '--clear', environment],
            'a virtual environment of Python (apt-get install python3-venv)')
        run([python, '-m', 'pip', 'install', '--no-deps', PYTHON_NETFLOW], 'python-netflow')
        (environment / 'complete').touch()
    return python
