# SPDX-License-Identifier: MIT
"""What other programs make of our export, set up as docs/collectors.md says.

interop_test.py SOCKFLOW CACHE document|READER [PROFILE ...]
    READER   a file of readers/; without PROFILE, each profile that is meant for it
    CACHE    folder of the programs that Debian does not have (fetch.py)
With SOCKFLOW_WRITE_SCREENS=1 what the programs show is written to the document.
"""
import importlib
import pathlib
import re
import sys
import tempfile

import export
from case import Case
from document import Document
from export import programs
from programs import check

SOURCES = pathlib.Path(__file__).resolve().parents[2]
READERS = sorted(path.stem for path in pathlib.Path(__file__).with_name('readers').glob('*.py')
                 if path.stem != '__init__')


# --- what the document shows, and who is read ---

def test_document(document):
    for kind in ('file', 'command', 'screen'):
        for name in document.names(kind):
            document.block(f'{kind}: {name}')
    check(set(document.names('screen')) <= set(READERS), f'screens of others than {READERS}')
    setups = {f'sockflow for {name}': name for name in READERS}
    for setup, name in setups.items():
        profile = importlib.import_module(f'readers.{name}').PROFILES[0]
        check(f'profile: {profile}\n' in document.block(f'file: {setup}'),
              f'{document.path}: {name} is to read the profile {profile}')
    check_that_all_is_run(document, setups)


def check_that_all_is_run(document, setups):
    """No block of what is tested is only words."""
    sources = ''.join(path.read_text(encoding='utf-8') for path in
                      pathlib.Path(__file__).with_name('readers').glob('*.py'))
    for name in document.names('file') + document.names('command'):
        check(name in setups or name in READERS or f"'{name}'" in sources,
              f'{document.path}: no test runs "{name}"')
    tested = document.path.read_text(encoding='utf-8').partition('\n## Not tested here\n')[0]
    blocks = sum(len(document.names(kind)) for kind in ('file', 'command', 'screen'))
    check(len(re.findall('(?m)^```', tested)) == 2 * blocks,
          f'{document.path}: a block is not between comments that name it for a test')


def run(name, profiles, document):
    reader = importlib.import_module(f'readers.{name}')
    with tempfile.TemporaryDirectory() as folder:
        sockflow = programs.Sockflow(sys.argv[1], pathlib.Path(folder))
        sockflow.skip_unless_it_captures()
        export.know_sources(sockflow)
        for profile in profiles or reader.PROFILES:
            try:
                reader.test(Case(name, sockflow, profile, document, sys.argv[2],
                                 SOURCES.parent / 'shared'))
            except (programs.Failure, export.ipfix_validator.Violation) as failure:
                raise programs.Failure(f'{profile}: {failure}') from None
            print(f'{profile}: ok')


def main():
    name, profiles = sys.argv[3], sys.argv[4:]
    document = Document(SOURCES / 'docs' / 'collectors.md')
    try:
        if name == 'document':
            test_document(document)
        else:
            run(name, profiles, document)
    except programs.Failure as failure:
        sys.exit(f'FAILED: {failure}')


if __name__ == '__main__':
    main()
