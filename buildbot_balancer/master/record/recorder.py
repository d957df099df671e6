# SPDX-License-Identifier: GPL-2.0-or-later
"""Recorder: changes of what is said about workers become events of the history.

What is the same after a new connection or a new start of the master is no change. What a user of
the master says is recorded by Control, with the user's name.
"""

from __future__ import annotations

from typing import Any
from typing import Callable

import attrs
from twisted.internet import task
from twisted.python.failure import Failure

from buildbot_balancer.availability.cap import ADMIN
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.standing import Freshness
from buildbot_balancer.availability.standing import Standing
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.explain.event import DRAIN
from buildbot_balancer.explain.event import FREED
from buildbot_balancer.explain.event import MOOD
from buildbot_balancer.explain.event import RESUME
from buildbot_balancer.explain.event import Event
from buildbot_balancer.log import failed
from buildbot_balancer.log import say
from buildbot_balancer.master.record.history import History
from buildbot_balancer.tables.fitting import narrowed

# What nobody tells, such as a word that ends by the clock, is seen within a minute or so.
BEAT = 1.0  # seconds between two looks
BEATS = 60  # until all have been looked at
LEAST_AT_ONCE = 20  # workers of one look
MOST = 60  # events of one worker in an HOUR; the rest are summed up in one
HOUR = 3600.0
KINDS = (MOOD, DRAIN, FREED, RESUME)
NOBODY = frozenset({'default', 'unreported'})  # sources: nobody has said anything
# of words; what a machine says of itself has figures in it
SPOKEN = frozenset({'owner', 'drain', 'signal', 'socket'})
SUMMARY = 'balancer'  # the source of the event that sums up


@attrs.frozen
class _Said:
    """What is compared. A drain is the same when its holiday has become offline."""

    mood: str
    source: str
    reason: str | None
    until: int | None

    @classmethod
    def of(cls, one: Any, *, draining: bool, mood: str) -> _Said:
        return cls(
            mood=DRAIN if draining else mood,
            source='' if one.source in NOBODY else one.source,
            reason=narrowed(one.reason) if one.reason and one.source in SPOKEN else None,
            until=None if one.until is None else round(one.until),
        )

    @property
    def is_nothing(self) -> bool:
        """As of a worker of which nobody has ever said anything."""
        return self.mood == Mood.EAGER.label and not self.source


@attrs.define(eq=False)
class _Entry:
    said: _Said | None = None  # as last recorded
    seen: _Said | None = None  # as last seen, recorded or left out
    freed: bool = False  # it drains, and its being empty was recorded
    began: float = 0.0  # when the hour of `count` did
    count: int = 0
    left_out: int = 0


class Recorder:
    """`standing_of(worker)` and `all_workers()`: the fleet's."""

    def __init__(
        self,
        history: History,
        reactor: Any,
        standing_of: Callable[[Any], Standing],
        all_workers: Callable[[], list[Any]],
    ) -> None:
        self._history = history
        self._reactor = reactor
        self._standing_of = standing_of
        self._all_workers = all_workers
        self._entries: dict[str, _Entry] = {}
        self._beat: task.LoopingCall | None = None
        self._left: list[Any] = []  # workers that are still to be looked at in this round
        self._at_once = LEAST_AT_ONCE

    async def start(self) -> None:
        """After History.start; until then nothing is recorded."""
        try:
            last = await self._history.latest(KINDS, ADMIN)
        except BalancerError as e:
            say(f'moods may be recorded again that the history has already: {e}')
            last = []
        for event in last:
            self._remember(event)
        self._beat = task.LoopingCall(self._look_at_some)
        self._beat.clock = self._reactor
        self._beat.start(BEAT).addErrback(failed, 'looking for moods to record')

    def stop(self) -> None:
        """Before History.stop."""
        beat, self._beat = self._beat, None
        self._left = []
        if beat is not None:
            beat.stop()
            for name, entry in self._entries.items():
                self._sum_up(name, entry)

    def look(self, worker: Any) -> None:
        """Something about it may have changed. Cheap, and never raises."""
        if self._beat is None:
            return
        try:
            self._look(self._standing_of(worker))
        except Exception:
            failed(Failure(), f'recording the mood of {worker.workername}')

    def _look_at_some(self) -> None:
        if not self._left:
            self._left = list(self._all_workers())
            self._at_once = max(len(self._left) // BEATS + 1, LEAST_AT_ONCE)
        some, self._left = self._left[: self._at_once], self._left[self._at_once :]
        for worker in some:
            self.look(worker)

    def _look(self, standing: Standing) -> None:
        if standing.source == ADMIN or not _is_known(standing):
            return
        entry = self._entries.setdefault(standing.name, _Entry())
        self._begin_hour(standing.name, entry)
        said = _Said.of(standing, draining=standing.draining, mood=standing.mood.label)
        if entry.count >= MOST and said != entry.seen:
            entry.left_out += 1
        if said == entry.said:
            self._look_whether_empty(entry, standing)
        elif entry.said is not None or not said.is_nothing:
            self._change(entry, said, standing)
        entry.seen = said

    def _change(self, entry: _Entry, said: _Said, standing: Standing) -> None:
        if self._record(entry, _kind(entry.said, standing), standing):
            entry.said = said
            entry.freed = False
            self._look_whether_empty(entry, standing)

    def _look_whether_empty(self, entry: _Entry, standing: Standing) -> None:
        empty = standing.presence.heard and standing.presence.running == 0
        if standing.draining and empty and not entry.freed:
            entry.freed = self._record(entry, FREED, standing)

    def _record(self, entry: _Entry, kind: str, standing: Standing) -> bool:
        """False: there were too many, and it is looked at again later."""
        if entry.count >= MOST:
            return False
        entry.count += 1
        self._history.record(_event(kind, standing, self._reactor.seconds()))
        return True

    def _begin_hour(self, name: str, entry: _Entry) -> None:
        now = self._reactor.seconds()
        if now - entry.began >= HOUR:
            self._sum_up(name, entry)
            entry.began, entry.count = now, 0

    def _sum_up(self, name: str, entry: _Entry) -> None:
        if entry.left_out:
            text = f'{entry.left_out} more changes within an hour were left out'
            now = self._reactor.seconds()
            self._history.record(Event(kind=MOOD, at=now, worker=name, reason=text, source=SUMMARY))
        entry.left_out = 0

    def _remember(self, event: Event) -> None:
        """Events come oldest first."""
        if event.worker is None or event.source == SUMMARY:
            return
        entry = self._entries.setdefault(event.worker, _Entry())
        entry.freed = event.kind == FREED
        if event.kind != FREED:
            draining, mood = event.kind == DRAIN, event.mood or ''
            entry.said = _Said.of(event, draining=draining, mood=mood)


def _is_known(standing: Standing) -> bool:
    """False while what it says now may be another thing than what is known of it."""
    unheard = standing.freshness is Freshness.UNREPORTED
    return not standing.held and (standing.presence.connected or not unheard)


def _kind(before: _Said | None, standing: Standing) -> str:
    if standing.draining:
        return DRAIN
    ends_a_drain = before is not None and before.mood == DRAIN and standing.mood.starts_builds
    return RESUME if ends_a_drain else MOOD


def _event(kind: str, standing: Standing, now: float) -> Event:
    return Event(
        kind=kind,
        at=now,
        worker=standing.name,
        mood=standing.mood.label,
        reason=standing.reason,
        source=standing.source,
        until=standing.until,
    )
