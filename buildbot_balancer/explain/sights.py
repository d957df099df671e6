# SPDX-License-Identifier: GPL-2.0-or-later
"""Sights: what the data API, the page and the command line show, one class a kind of thing.

Times are epoch seconds, loads are per CPU, None means unknown or "does not apply". Texts that
people typed have been cleaned, and are escaped by whoever shows them.
"""

from __future__ import annotations

from typing import Any

import attrs

# What state a request is in.
PAUSED = 'paused'  # its builder is, by an admin
QUEUED = 'queued'  # it stands behind others, and nobody has looked at it yet
RUNNING = 'running'  # it has been claimed
STUCK = 'stuck'  # waiting does not help
WAITING = 'waiting'  # the verdicts say for what
COMPLETE = 'complete'


@attrs.frozen(kw_only=True)
class Count:
    """How many workers said this; `names`: some of the workers, locks or people concerned."""

    code: str
    count: int
    names: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class WorkerSight:
    """`summary`: what it does, or why it gets nothing, in one line. `master`: to which it is
    connected, where that is not the one that is asked.
    """

    workerid: int
    name: str
    mood: str
    reason: str | None
    source: str
    until: float | None
    load: float | None
    fresh: bool
    reported_at: float | None
    running: int
    summary: str
    master: str | None = None


@attrs.frozen(kw_only=True)
class RequestSight:
    """`position`: 1 is next, over all builders; None for one that does not wait any more.
    `master`: which says so, where that is not the one that is asked.
    """

    buildrequestid: int
    builderid: int
    buildername: str
    priority: int
    submitted_at: float
    position: int | None
    state: str
    reason: str
    verdicts: tuple[Count, ...] = ()
    master: str | None = None


@attrs.frozen(kw_only=True)
class ShareSight:
    """One who holds a lock, or waits for it. `what`: ``win #41``, ``request 7 of win``."""

    what: str
    mode: str  # counting, exclusive
    count: int
    since: float | None = None
    builderid: int | None = None
    buildid: int | None = None
    number: int | None = None  # of the build
    buildrequestid: int | None = None
    worker: str | None = None


@attrs.frozen(kw_only=True)
class LockSight:
    """`group`: the worker, group or branch that it counts for, '' for all; `max` None: no limit.

    `waiters` are in the order in which they will be served. `summary` is one line.
    """

    name: str
    group: str
    max: int | None
    held: int
    holders: tuple[ShareSight, ...] = ()
    waiters: tuple[ShareSight, ...] = ()
    summary: str = ''


@attrs.frozen(kw_only=True)
class BuilderSight:
    """`by`: the user who paused it; `waiting`: how many of its requests do, where that is known."""

    builderid: int
    name: str
    paused: bool = False
    reason: str | None = None
    until: float | None = None
    by: str | None = None
    paused_at: float | None = None
    waiting: int | None = None


@attrs.frozen(kw_only=True)
class Sample:
    """A worker at one moment of the last hour."""

    at: float
    load: float | None
    running: int


def to_json(sight: Any) -> dict[str, Any]:
    """Any of the above, with lists in the place of tuples."""
    return attrs.asdict(sight, value_serializer=_plain)


def _plain(_: Any, __: Any, value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
