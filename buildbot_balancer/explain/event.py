# SPDX-License-Identifier: GPL-2.0-or-later
"""Event: one line of the history."""

from __future__ import annotations

import attrs

# Kinds of events.
DRAIN = 'drain'  # a worker starts nothing new until it is empty
FORGET = 'forget'  # the history of a worker was deleted
FREED = 'freed'  # a worker that was drained is empty
HELD = 'held'  # a lock was let go; `duration`: how long it was held
MOOD = 'mood'  # a worker's mood is another one, whoever said so
PAUSE = 'pause'  # an admin paused a builder
RESUME = 'resume'  # of a worker or a builder
SET = 'set'  # an admin limited a worker's mood
WAITED = 'waited'  # a lock was had; `duration`: how long it was waited for
KINDS = (DRAIN, FORGET, FREED, HELD, MOOD, PAUSE, RESUME, SET, WAITED)


@attrs.frozen(kw_only=True)
class Event:
    """`at` and `until` are epoch seconds, `duration` is seconds; None does not apply.

    `actor`: the master's user who did it, or None; `source`: who decided a mood (owner, drain,
    admin, ...). `eventid` is given by the database.
    """

    kind: str
    at: float
    eventid: int | None = None
    worker: str | None = None
    builder: str | None = None
    request: int | None = None  # the build request concerned
    lock: str | None = None
    group: str | None = None  # of the lock: the worker, group or branch
    mood: str | None = None
    reason: str | None = None
    source: str | None = None
    until: float | None = None
    actor: str | None = None
    duration: float | None = None
