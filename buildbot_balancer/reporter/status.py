# SPDX-License-Identifier: GPL-2.0-or-later
"""Status: what the reporter knows, kept in a file for the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from buildbot_balancer.availability import wire
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.report import REASON_LIMIT
from buildbot_balancer.errors import StoreError
from buildbot_balancer.errors import WireError
from buildbot_balancer.reporter import files
from buildbot_balancer.reporter.says import ORDER
from buildbot_balancer.reporter.says import Says

FILE = 'availability.status'


@attrs.frozen(kw_only=True)
class Status:
    """Loads are per CPU, `until` and `at` epoch seconds, `idle` seconds; None is unknown.

    `authority`: what the machine says of itself, in the order of authority; () where it was not
    asked.
    """

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
    builds_left: float | None = None  # seconds until they are over, as the master expects
    problem: str | None = None
    incarnation: str = ''
    authority: tuple[Says, ...] = ()
    sent: str | None = None  # the last report, to the letter
    at: float = 0.0


def save(basedir: Path, status: Status) -> None:
    """Raises StoreError."""
    values = attrs.asdict(status, value_serializer=_plain)
    text = json.dumps(values, indent=1, sort_keys=True)
    files.write(basedir / FILE, text + '\n', durable=False)


def _plain(_instance: Any, _field: Any, value: Any) -> Any:
    return value.label if isinstance(value, Mood) else value


def load(basedir: Path) -> Status | None:
    """None where there is none, or one that cannot be used."""
    try:
        text = files.read(basedir / FILE)
        values: Any = json.loads(text) if text else None
        if not isinstance(values, dict):
            return None
        known = [name for name in _CHECKS if name in values]
        return Status(**{name: _CHECKS[name](name, values[name]) for name in known})
    except (StoreError, WireError, ValueError, TypeError, RecursionError):
        return None


def remove(basedir: Path) -> None:
    """Raises StoreError."""
    files.remove(basedir / FILE)


def same_but_time(one: Status, other: Status) -> bool:
    return attrs.evolve(one, at=other.at) == other


def _authority(name: str, value: Any) -> tuple[Says, ...]:
    if not isinstance(value, list) or len(value) > len(ORDER):
        raise WireError(f'"{name}" must be a list of at most {len(ORDER)}')
    return tuple(_says(name, one) for one in value)


def _sent(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > wire.LIMIT:
        raise WireError(f'"{name}" must be a text of at most {wire.LIMIT} characters')
    return value


def _says(name: str, value: Any) -> Says:
    if not isinstance(value, dict):
        raise WireError(f'"{name}" must have objects')
    return Says(**{key: check(key, value.get(key)) for key, check in _SAYS.items()})


_SAYS: Mapping[str, wire.Check] = {
    'source': wire.text(64),
    'mood': wire.optional(wire.mood),
    'words': wire.text(1000),
    'until': wire.optional(wire.number(0, 1e11)),
}
_amount = wire.number(0, 1e15)

_CHECKS: Mapping[str, wire.Check] = {
    'mood': lambda name, value: wire.mood(name, value).label,
    'source': wire.text(64),
    'reason': wire.optional(wire.text(REASON_LIMIT)),
    'until': wire.optional(wire.number(0, 1e11)),
    'load': wire.optional(_amount),
    'cpus': wire.optional(wire.integer(1, 2**16)),
    'idle': wire.optional(_amount),
    'running': wire.optional(wire.integer(0, 2**20)),
    'draining': wire.boolean,
    'connected': wire.boolean,
    'word': wire.text(64),
    'free': wire.boolean,
    'left': wire.integer(0, 2**31),
    'builds_left': wire.optional(_amount),
    'problem': wire.optional(wire.text(1000)),
    'incarnation': wire.text(64),
    'authority': _authority,
    'sent': lambda name, value: None if value is None else _sent(name, value),
    'at': wire.number(0, 1e11),
}
