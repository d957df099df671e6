# SPDX-License-Identifier: GPL-2.0-or-later
"""Experience: tells the scorers that learn which builds began and how they ended.

Which builds have ended is heard from Buildbot's events, and what there is to know of them is read
together, so that many that end at once cost one query. Nothing waits for it: until a scorer knows
something, it has no opinion.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from typing import Union

from twisted.internet import defer
from twisted.internet import task
from twisted.python.failure import Failure

from buildbot_balancer.log import failed
from buildbot_balancer.master import compat
from buildbot_balancer.master.record.pastbuilds import PastBuilds
from buildbot_balancer.policy.affinity import Affinity
from buildbot_balancer.policy.ends import EndsInTime
from buildbot_balancer.policy.fastest import FastestFirst
from buildbot_balancer.policy.past import PastBuild

Learner = Union[FastestFirst, Affinity, EndsInTime]

MOST = 10_000  # builds that are read at the start
AT_ONCE = 500  # builds that are learned, or asked for, before others have their turn
SOON = 0.5  # seconds for which builds that end are gathered
RETRY = 60.0  # seconds after a query that failed

BEGAN = ('builds', None, 'new')
ENDED = ('builds', None, 'finished')


class Experience:
    """Builds of other masters count too, where this one hears of them."""

    def __init__(self, master: Any, reactor: Any, past: PastBuilds) -> None:
        self._master = master
        self._reactor = reactor
        self._past = past
        self._learners: list[Learner] = []
        self._taught: list[Learner] = []  # those that know what the database knew
        self._builders: dict[int, str] = {}
        self._ended: set[int] = set()
        self._consumers: list[Any] = []
        self._timer: Any = None
        self._reading = defer.DeferredLock()
        self._stopped = False

    async def watch(self, learners: Iterable[Learner]) -> None:
        """In the place of those that were told before; new ones learn from the database soon."""
        self._learners = list({id(one): one for one in learners}.values())
        self._taught = [one for one in self._taught if _has(self._learners, one)]
        if not self._learners:
            await self._deafen()
            return
        builders = list(self._master.botmaster.builders.values())
        self._builders = {await one.getBuilderId(): one.name for one in builders}
        if not self._consumers:  # it listens first and reads then, so nothing falls in between
            listen = self._master.mq.startConsuming
            self._consumers = [await listen(self._began, BEGAN), await listen(self._end, ENDED)]
        if len(self._taught) < len(self._learners):
            self._look_in(0)

    async def stop(self) -> None:
        """No query goes on when this returns."""
        self._stopped = True
        await self._deafen()
        await self._reading.run(lambda: None)

    async def _deafen(self) -> None:
        consumers, self._consumers = self._consumers, []
        self._ended.clear()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        for consumer in consumers:
            await defer.maybeDeferred(consumer.stopConsuming)

    def _began(self, key: tuple[str, ...], message: Any) -> None:
        builder = self._builders.get(message['builderid'])
        worker = self._worker_with(message['workerid'])
        if builder is not None and worker is not None:
            for learner in self._learners:
                learner.began(builder, worker)

    def _worker_with(self, workerid: int) -> str | None:
        for worker in compat.all_workers(self._master):
            if worker.workerid == workerid:
                return str(worker.workername)
        return None

    def _end(self, key: tuple[str, ...], message: Any) -> None:
        self._ended.add(int(message['buildid']))
        self._look_in(SOON)

    def _look_in(self, wait: float) -> None:
        if self._timer is not None and self._timer.active():
            if wait > 0:
                return
            self._timer.cancel()
        if not self._stopped:
            self._timer = self._reactor.callLater(wait, self._look)

    def _look(self) -> None:
        looked = self._reading.run(lambda: defer.ensureDeferred(self._read()))
        looked.addErrback(failed, 'learning from past builds')

    async def _read(self) -> None:
        try:
            await self._hear_news()
            await self._teach_new_ones()
        except Exception:
            failed(Failure(), 'reading past builds, which is tried again')
            self._look_in(RETRY)

    async def _hear_news(self) -> None:
        while self._ended:
            ids = sorted(self._ended)[:AT_ONCE]
            builds = await self._past.among(ids)
            self._ended.difference_update(ids)
            for learner in self._taught:
                for build in builds:
                    learner.ended(build)

    async def _teach_new_ones(self) -> None:
        new = [one for one in self._learners if not _has(self._taught, one)]
        if not new or self._stopped:
            return
        builds = await self._past.last(MOST)
        for start in range(0, len(builds), AT_ONCE):
            if self._stopped:
                return
            for learner in new:
                _teach(learner, builds[start : start + AT_ONCE])
            await task.deferLater(self._reactor, 0)
        self._taught += new


def _teach(learner: Learner, builds: list[PastBuild]) -> None:
    for build in builds:
        learner.began(build.builder, build.worker)
        learner.ended(build)


def _has(learners: list[Learner], one: Learner) -> bool:
    """By identity: those with equal arguments are equal."""
    return any(one is other for other in learners)
