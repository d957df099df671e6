# SPDX-License-Identifier: GPL-2.0-or-later
"""Control: what users of the master say about workers and builders.

It holds beside the word of a worker's owner: the lower mood of the two counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import Callable

import attrs

from buildbot_balancer.availability.cap import ADMIN
from buildbot_balancer.availability.cap import Cap
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.report import REASON_LIMIT
from buildbot_balancer.availability.standing import Standing
from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.when import clock_text
from buildbot_balancer.errors import ControlError
from buildbot_balancer.explain import event
from buildbot_balancer.explain.event import Event
from buildbot_balancer.master import compat
from buildbot_balancer.master.record.pauses import Pause
from buildbot_balancer.master.record.pauses import Pauses
from buildbot_balancer.master.record.words import Said
from buildbot_balancer.master.workers.fleet import Fleet

USER_LIMIT = 100  # characters


@attrs.frozen
class Listeners:
    """`worker(name)` and `builder(name)` are called when something about them has changed."""

    worker: Callable[[str], None]
    builder: Callable[[str], None]


class Control:
    """`words` keeps what was said over a restart and for other masters, `history` who said it.

    What is said holds at once; it is written down afterwards.
    """

    def __init__(
        self,
        master: Any,
        fleet: Fleet,
        pauses: Pauses,
        words: Any,
        history: Any,
        now: Callable[[], float],
        told: Listeners,
    ) -> None:
        self._master = master
        self._fleet = fleet
        self._pauses = pauses
        self._words = words
        self._history = history
        self._now = now
        self._told = told
        self._caps: dict[str, Cap] = {}

    def caps_of(self, worker: str) -> tuple[Cap, ...]:
        cap = self._caps.get(worker)
        return () if cap is None else (cap,)

    def load(self, caps: Mapping[str, Cap], pauses: Mapping[str, Pause]) -> None:
        """What was said before the master was started."""
        self._caps = {**caps}
        self._pauses.load(pauses)

    async def hear(self, said: Said) -> bool:
        """What users of other masters have said, or this master's before its tables were there.

        True: something of it is new.
        """
        names = {*said.workers, *self._caps} - said.my_workers
        changed = [one for one in sorted(names) if said.workers.get(one) != self._caps.get(one)]
        for name in changed:
            self._hear_of(name, said.workers.get(name))
        builders = self._pauses.change(said.builders, said.my_builders)
        for builder in builders:
            self._told.builder(builder)
        for name in changed:  # it may be empty by now, which its own master has to say
            await self.counted(name)
        return bool(changed or builders)

    def _hear_of(self, name: str, cap: Cap | None) -> None:
        worker = compat.worker_named(self._master, name)
        if worker is None:
            self._put(name, cap)
            return
        self._fleet.change_caps(worker, lambda: self._put(name, cap))
        self._told.worker(name)

    # workers

    async def set_worker(
        self, workerid: int, mood: str, reason: str | None, until: float | None, user: str | None
    ) -> None:
        """Raises ControlError, and WordError for what is no mood."""
        wanted = Mood.parse(mood)
        if wanted is Mood.GOING_ON_HOLIDAY:
            await self.drain_worker(workerid, reason, until, user)
            return
        worker = self._worker(workerid)
        standing = self._fleet.standing(worker)
        if wanted > standing.owners_mood:
            raise ControlError(_overruling(standing, wanted, self._now()))
        if wanted is Mood.EAGER:
            await self.resume_worker(workerid, user)
            return
        await self._cap(worker, event.SET, self._made(wanted, reason, until, user))

    async def drain_worker(
        self, workerid: int, reason: str | None, until: float | None, user: str | None
    ) -> None:
        """It starts nothing new, and is offline when nothing runs there any more."""
        worker = self._worker(workerid)
        cap = self._made(Mood.GOING_ON_HOLIDAY, reason, until, user)
        await self._cap(worker, event.DRAIN, cap)
        await self.counted(worker.workername)

    async def resume_worker(self, workerid: int, user: str | None) -> None:
        """Only the owner's word holds again."""
        worker = self._worker(workerid)
        name = worker.workername
        cap = self._caps.get(name)
        if cap is None:
            return
        self._fleet.change_caps(worker, lambda: self._put(name, None))
        if cap.holds_at(self._now()):
            self._record(event.RESUME, user, worker=name)
        self._told.worker(name)
        await self._words.forget_worker(name)

    async def forget_worker(self, workerid: int, user: str | None) -> int:
        """Deletes its history; returns of how many events."""
        name = self._worker(workerid).workername
        count = int(await self._history.forget(name))
        self._record(event.FORGET, user, worker=name)
        return count

    async def counted(self, name: str) -> None:
        """The number of builds on a worker is another one: one that was drained may be empty."""
        cap, worker = self._caps.get(name), compat.worker_named(self._master, name)
        if cap is None or worker is None or cap.mood is not Mood.GOING_ON_HOLIDAY:
            return
        if not cap.holds_at(self._now()):
            return
        if self._is_shared and worker.conn is None:
            return  # it may run builds of the master to which it is connected
        if self._fleet.standing(worker).presence.running == 0:
            empty = attrs.evolve(cap, mood=Mood.OFFLINE)
            await self._cap(worker, event.FREED, empty)

    @property
    def _is_shared(self) -> bool:
        return bool(self._master.config.multiMaster)

    async def _cap(self, worker: Any, kind: str, cap: Cap) -> None:
        name = worker.workername
        self._fleet.change_caps(worker, lambda: self._put(name, cap))
        self._record(
            kind,
            cap.by,
            worker=name,
            mood=cap.mood.label,
            reason=cap.reason,
            until=cap.until,
            source=ADMIN,
        )
        self._told.worker(name)
        await self._words.save_worker(name, cap, self._now())

    def _put(self, name: str, cap: Cap | None) -> None:
        if cap is None:
            self._caps.pop(name, None)
        else:
            self._caps[name] = cap

    def _made(self, mood: Mood, reason: str | None, until: float | None, user: str | None) -> Cap:
        self._check_until(until)
        return Cap(mood=mood, source=ADMIN, reason=_said(reason), until=until, by=_user(user))

    def _worker(self, workerid: int) -> Any:
        for worker in compat.all_workers(self._master):
            if worker.workerid == workerid:
                return worker
        raise ControlError(f'there is no worker {workerid} in the config of this master')

    # builders

    async def pause_builder(
        self, builderid: int, reason: str | None, until: float | None, user: str | None
    ) -> None:
        """It starts no build until it is resumed, or the time comes; what runs goes on."""
        name = await self._builder(builderid)
        self._check_until(until)
        pause = Pause(at=self._now(), reason=_said(reason), until=until, by=_user(user))
        self._pauses.begin(name, pause)
        self._record(event.PAUSE, user, builder=name, reason=pause.reason, until=until)
        self._told.builder(name)
        await self._words.save_builder(name, pause)

    async def resume_builder(self, builderid: int, user: str | None) -> None:
        name = await self._builder(builderid)
        if self._pauses.end(name) is None:
            return
        self._record(event.RESUME, user, builder=name)
        self._told.builder(name)
        await self._words.forget_builder(name)

    async def _builder(self, builderid: int) -> str:
        for builder in self._master.botmaster.builders.values():
            if await builder.getBuilderId() == builderid:
                return str(builder.name)
        raise ControlError(f'there is no builder {builderid} in the config of this master')

    def _check_until(self, until: float | None) -> None:
        if until is not None and until <= self._now():
            raise ControlError('"until" is a moment that is over already')

    def _record(self, kind: str, user: str | None, **what: Any) -> None:
        self._history.record(Event(kind=kind, at=self._now(), actor=_user(user), **what))


def _said(reason: str | None) -> str | None:
    return None if reason is None else clean(reason, REASON_LIMIT) or None


def _user(user: str | None) -> str | None:
    return None if user is None else clean(user, USER_LIMIT) or None


def _overruling(standing: Standing, wanted: Mood, now: float) -> str:
    why = f' ("{standing.reason}")' if standing.reason and standing.source != ADMIN else ''
    until = standing.until if standing.source != ADMIN else None
    ends = '' if until is None else f' until {clock_text(until, now)}'
    return (
        f'{standing.name} is {standing.owners_mood.label}{why}{ends} by the word of its own side,'
        f' which cannot be overruled: {wanted.label} is more'
    )
