# SPDX-License-Identifier: GPL-2.0-or-later
"""Buildbot's own tests, for the version that is installed; kept in .venv, never in the repository.

The sdist carries most of them. What it leaves out is taken from a clone of Buildbot, a bare one
too, that the environment variable BUILDBOT_CLONE names.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

from support.snippets import ROOT

CACHE = ROOT / '.venv' / 'buildbot-tests'
CLONE = 'BUILDBOT_CLONE'


class MissingError(Exception):
    """The text says why, on one line."""


def file(path: str) -> Path:
    """`path` is from buildbot/test on."""
    installed = version('buildbot')
    kept = CACHE / installed / path
    if not kept.exists():
        text = _from_sdist(installed, path) or _from_clone(installed, path)
        if text is None:
            raise MissingError(
                f"Buildbot's own {path} was not run: the sdist of {installed} leaves it out, and"
                f' {CLONE} names no clone that has it'
            )
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(f'.{os.getpid()}')
        partial.write_bytes(text)
        partial.replace(kept)
    return kept


def _from_sdist(installed: str, path: str) -> bytes | None:
    with tarfile.open(_sdist(installed)) as sdist:
        try:
            member = sdist.extractfile(f'buildbot-{installed}/buildbot/test/{path}')
        except KeyError:
            return None
        return None if member is None else member.read()


def _sdist(installed: str) -> Path:
    CACHE.mkdir(parents=True, exist_ok=True)
    found = CACHE / f'buildbot-{installed}.tar.gz'
    if found.exists():
        return found
    options = ['--quiet', '--no-binary', ':all:', '--no-deps', '--dest', str(CACHE)]
    done = subprocess.run(
        [sys.executable, '-m', 'pip', 'download', *options, f'buildbot=={installed}'],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode or not found.exists():
        why = (done.stderr.strip().splitlines() or ['no sdist came'])[-1]
        raise MissingError(f"Buildbot's own tests were not run: no sdist of {installed}: {why}")
    return found


def _from_clone(installed: str, path: str) -> bytes | None:
    clone = os.environ.get(CLONE)
    if not clone:
        return None
    shown = subprocess.run(
        ['git', '-C', clone, 'show', f'v{installed}:master/buildbot/test/{path}'],
        capture_output=True,
        check=False,
    )
    return shown.stdout if shown.returncode == 0 else None
