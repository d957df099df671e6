# SPDX-License-Identifier: GPL-2.0-or-later
"""Store: the file in the worker's basedir, and the copy of the last good one."""

from __future__ import annotations

from pathlib import Path

from buildbot_balancer.reporter import files
from buildbot_balancer.reporter.settings.reading import read
from buildbot_balancer.reporter.settings.sections import Settings

FILE = 'availability.toml'
GOOD = 'availability.toml.good'  # what a reporter that starts with a bad file goes by


def path(basedir: Path) -> Path:
    return basedir / FILE


def load(basedir: Path) -> Settings | None:
    """None where there is no file. Raises StoreError and SettingsError."""
    text = files.read(path(basedir))
    return None if text is None else read(text)


def load_good(basedir: Path) -> Settings | None:
    """As `load`, of the copy."""
    text = files.read(basedir / GOOD)
    return None if text is None else read(text)


def keep_good(basedir: Path, text: str) -> None:
    """Raises StoreError."""
    if files.read(basedir / GOOD) != text:
        files.write(basedir / GOOD, text)


def remove_good(basedir: Path) -> None:
    """Raises StoreError."""
    files.remove(basedir / GOOD)
