# SPDX-License-Identifier: GPL-2.0-or-later
"""Globs of names, as fnmatch has them, with the case; a name always matches itself."""

from __future__ import annotations

from fnmatch import fnmatchcase


def matches(name: str, glob: str) -> bool:
    """A name may have brackets: ``build [x86]``."""
    return name == glob or fnmatchcase(name, glob)
