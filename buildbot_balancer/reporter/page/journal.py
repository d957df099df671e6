# SPDX-License-Identifier: GPL-2.0-or-later
"""Journal: what changed on the machine since the reporter started, the newest first. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import attrs

from buildbot_balancer.availability.when import clock_text
from buildbot_balancer.reporter import says
from buildbot_balancer.reporter.status import Status

KEPT = 100


@attrs.frozen
class Entry:
    at: float  # epoch seconds
    words: str


class Journal:
    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._before: Status | None = None

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(self._entries)

    def note(self, now: Status) -> None:
        before, self._before = self._before, now
        for words in _changes(before, now):
            self._entries.appendleft(Entry(now.at, words))


def _changes(before: Status | None, now: Status) -> Iterator[str]:
    if before is None or _said(before) != _said(now):
        yield _sentence(now)
    if before is None:
        return
    if before.connected != now.connected:
        yield 'a master listens' if now.connected else 'no master listens any more'
    if now.draining and now.free and not before.free:
        yield 'free: nothing runs here, and nothing will start'
    if now.problem != before.problem:
        yield f'problem: {now.problem}' if now.problem else 'the problem is over'


def _said(status: Status) -> tuple[object, ...]:
    """What the machine measures is worth a line only where the mood or its source is another."""
    if status.source in says.AUTOMATIC:
        return (status.mood, status.source)
    return (status.mood, status.source, status.reason, status.until)


def _sentence(status: Status) -> str:
    ends = '' if status.until is None else f' until {clock_text(status.until, status.at)}'
    why = f': {status.reason}' if status.reason else ''
    return f'{status.mood}{ends} ({status.source}{why})'
