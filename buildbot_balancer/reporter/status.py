# SPDX-License-Identifier: GPL-2.0-or-later
"""Status: what the reporter knows, kept in a file for the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs

from buildbot_balancer.errors import StoreError
from buildbot_balancer.reporter import files

FILE = 'availability.status'


@attrs.frozen(kw_only=True)
class Status:
    """Loads are per CPU, `until` and `at` epoch seconds, `idle` seconds; None is unknown."""

    mood: str
    source: str
    reason: str | None = None
    until: float | None = None
    load: float | None = None
    cpus: int | None = None
    idle: float | None = None
    running: int | None = None  # builds, as the master counts them
    draining: bool = False
    connected: bool = False  # a master with a Balancer listens and answers
    word: str = ''  # id of the owner's word that this is about
    free: bool = False  # the master has promised, and nothing is left on the machine
    left: int = 0  # commands and processes of builds that are still here
    problem: str | None = None
    incarnation: str = ''
    at: float = 0.0


def save(basedir: Path, status: Status) -> None:
    """Raises StoreError."""
    text = json.dumps(attrs.asdict(status), indent=1, sort_keys=True)
    files.write(basedir / FILE, text + '\n', durable=False)


def load(basedir: Path) -> Status | None:
    """None where there is none, or one that cannot be used."""
    try:
        text = files.read(basedir / FILE)
        values: Any = json.loads(text) if text else None
        if not isinstance(values, dict):
            return None
        known = {field.name for field in attrs.fields(Status)}
        return Status(**{key: value for key, value in values.items() if key in known})
    except (StoreError, ValueError, TypeError):
        return None


def remove(basedir: Path) -> None:
    """Raises StoreError."""
    files.remove(basedir / FILE)


def same_but_time(one: Status, other: Status) -> bool:
    return attrs.evolve(one, at=other.at) == other
