# SPDX-License-Identifier: MIT
"""Packages by APT configurations of our own, which ask the mirrors of the machine: its sources,
architectures and package state are never touched."""
import os
import pathlib
import subprocess

KEYRING = pathlib.Path('/usr/share/keyrings/debian-archive-keyring.gpg')
NO_SOURCES_OF_THE_MACHINE = '''
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
'''


class Unobtainable(Exception):
    """It cannot be had on this machine, now; the text says why."""


def run(command, config=None, cwd=None):
    """What the command prints."""
    env = dict(os.environ, LC_ALL='C')
    if config:
        env['APT_CONFIG'] = str(config)
    try:
        done = subprocess.run([str(part) for part in command], env=env, cwd=cwd, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=600)
    except FileNotFoundError as error:
        raise Unobtainable(f'{command[0]} is missing: a Debian machine is needed.') from error
    except subprocess.TimeoutExpired as error:
        raise Unobtainable(f'{command[0]} took longer than 10 minutes.') from error
    if done.returncode != 0:
        reason = ' '.join(done.stderr.split())[-400:]
        raise Unobtainable(f'{" ".join(map(str, command[:3]))} failed: {reason}')
    return done.stdout


def own_archives(config=None):
    """(base address, suite, label, architecture) of every package list of the machine."""
    listing = run(['apt-get', 'indextargets', '--format',
                   '$(REPO_URI)|$(RELEASE)|$(LABEL)|$(ARCHITECTURE)', 'Created-By: Packages'],
                  config)
    return [line.split('|') for line in listing.splitlines()]


def debian_archives(directory):
    """Those of them that are Debian's. A machine without lists gets none: they go to `directory`."""
    archives = own_archives()
    if not archives:
        config = write_config(directory, '')
        run(['apt-get', 'update'], config)
        archives = own_archives(config)
    return [archive for archive in archives if archive[2].startswith('Debian')]


def write_config(directory, more):
    """A configuration with package lists and state of its own, all below `directory`."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for part in ('state/lists/partial', 'cache/archives/partial'):
        (directory / part).mkdir(parents=True, exist_ok=True)
    (directory / 'status').touch()
    # The machine's proxies and transports, but none of its hooks: those clean the machine's cache.
    transport = ''.join(line + '\n' for line in run(['apt-config', 'dump']).splitlines()
                        if line.startswith('Acquire::') and 'IndexTargets' not in line)
    config = directory / 'apt.conf'
    config.write_text(transport + f'''
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::State "{directory}/state";
Dir::State::status "{directory}/status";
Dir::Cache "{directory}/cache";
APT::Sandbox::User "root";
Acquire::Languages "none";
''' + more)
    return config


def private_config(directory, sources, architecture=None):
    """A configuration with these sources, (type, base, suite), alone; its lists are up to date."""
    signed = f'[signed-by={KEYRING}] ' if KEYRING.exists() else ''
    more = NO_SOURCES_OF_THE_MACHINE + f'Dir::Etc::sourcelist "{directory}/sources.list";\n'
    if architecture:
        more += f'APT::Architecture "{architecture}";\nAPT::Architectures "{architecture}";\n'
    config = write_config(directory, more)
    (directory / 'sources.list').write_text(''.join(
        f'{kind} {signed}{base} {suite} main\n' for kind, base, suite in sources))
    run(['apt-get', 'update', '--error-on=any'], config)
    return config


def debian_config(directory, suites, architecture=None):
    """A private configuration for suites of Debian, by the mirror that the machine asks."""
    bases = {label: base for base, _, label, _ in debian_archives(directory / 'own')}
    if 'Debian' not in bases:
        raise Unobtainable("the machine's package sources name no Debian mirror.")
    mirror = bases['Debian']
    security = bases.get('Debian-Security', mirror.rstrip('/') + '-security')
    return private_config(directory, [
        ('deb', security if suite.endswith('-security') else mirror, suite)
        for suite in suites], architecture)
