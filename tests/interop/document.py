# SPDX-License-Identifier: MIT
"""docs/collectors.md, which tells how to set each program up, as the tests use it.

Fenced blocks that stand between comments <!-- NAME --> and <!-- end --> are tested:
  "file: X", "command: X"  are what the test runs, so that what we say there works
  "screen: X"              is what the program has shown; a test compares its shape, and writes it
                           anew when SOCKFLOW_WRITE_SCREENS is set
"""
import os
import re
import shlex

from programs import check

_MONTHS = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)'
_VALUES = [
    # A container's id: there or not, as the tests run in one or not.
    (re.compile(r'\b[0-9a-f]{64}\b'), ''),
    (re.compile(r'\b0x[0-9a-f]+\b'), '#'),
    (re.compile(rf'\b{_MONTHS}\b'), '#'),
    # Numbers, addresses, times; with what stands between their parts.
    (re.compile(r'\d+(?:[.:,T-]*\d+)*'), '#'),
    (re.compile(r'[ \t]+'), ' '),
    (re.compile(r'--+'), '--'),
]


def shape(screen):
    """The lines without what differs from run to run."""
    lines = []
    for line in screen.strip('\n').splitlines():
        for pattern, replacement in _VALUES:
            line = pattern.sub(replacement, line)
        lines.append(line.strip())
    return lines


class Document:
    def __init__(self, path):
        self.path = path
        self.writes = bool(os.environ.get('SOCKFLOW_WRITE_SCREENS'))

    def _find(self, name):
        text = self.path.read_text(encoding='utf-8')
        found = re.search(rf'<!-- {re.escape(name)} -->\n```\w*\n(.*?)```\n<!-- end -->', text,
                          re.DOTALL)
        check(found is not None, f'{self.path} has no block "<!-- {name} -->"')
        return text, found

    def names(self, kind):
        return re.findall(rf'<!-- {kind}: (.*?) -->', self.path.read_text(encoding='utf-8'))

    def block(self, name, replacements=()):
        """The text, with what is particular to a test instead of what a user writes there."""
        block = self._find(name)[1][1]
        for said, meant in dict(replacements).items():
            check(said in block, f'{self.path}: "{name}" does not have "{said}"')
            block = block.replace(said, str(meant))
        return block

    def command(self, name, replacements=()):
        """The words of a command."""
        return shlex.split(self.block(f'command: {name}', replacements))

    def screen(self, name, shown):
        """Fails unless the document shows the same but for the values."""
        shown = '\n'.join(line.rstrip() for line in shown.expandtabs().strip('\n').splitlines())
        check(shown, f'{name} shows nothing of the session')
        text, found = self._find(f'screen: {name}')
        if self.writes:
            self.path.write_text(f'{text[:found.start(1)]}{shown}\n{text[found.end(1):]}',
                                 encoding='utf-8')
            return
        check(shape(found[1]) == shape(shown),
              f'{self.path}: the screen "{name}" is not what is shown today; if that is right, run '
              f'the test with SOCKFLOW_WRITE_SCREENS=1. Shown is:\n{shown}')
