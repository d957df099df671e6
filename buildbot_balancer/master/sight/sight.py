# SPDX-License-Identifier: GPL-2.0-or-later
"""Sight: all that is shown of requests, workers, locks and builders, at this moment."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any
from typing import Callable

from twisted.internet import defer
from twisted.python.failure import Failure

from buildbot_balancer.explain.sights import WAITING
from buildbot_balancer.explain.sights import BuilderSight
from buildbot_balancer.explain.sights import LockSight
from buildbot_balancer.explain.sights import RequestSight
from buildbot_balancer.explain.sights import Sample
from buildbot_balancer.explain.sights import WorkerSight
from buildbot_balancer.master import compat
from buildbot_balancer.master.choice.engine import Engine
from buildbot_balancer.master.distribution.budget import Budget
from buildbot_balancer.master.distribution.roll import Distributed
from buildbot_balancer.master.distribution.roll import Listing
from buildbot_balancer.master.distribution.roll import Roll
from buildbot_balancer.master.requests.facts import Facts
from buildbot_balancer.master.requests.fates import Fates
from buildbot_balancer.master.requests.fates import sight_of
from buildbot_balancer.master.requests.pending import Pending
from buildbot_balancer.master.sight.pendingsights import PendingSights
from buildbot_balancer.master.sight.workersights import WorkerSights
from buildbot_balancer.master.workers.samples import Samples

AGAIN = 1.0  # seconds for which an answer about one request is kept
ANSWERS = 1000
KEPT = 50  # requests whose facts are kept, where our distributor does not
AT_ONCE = 3000.0  # workers that are asked about because somebody asks about requests
A_SECOND = 1000.0  # in the long run

Lock = Callable[[str, 'str | None'], 'list[LockSight]']


class Sight:
    """`distributed()`: what our distributor knows; None where Buildbot's own is at work.

    `lock(name, group)` None: found among `locks()`.
    """

    def __init__(
        self,
        master: Any,
        reactor: Any,
        engine: Engine,
        distributed: Callable[[], Distributed | None],
        locks: Callable[[], list[LockSight]],
        builders: Callable[[], list[BuilderSight]],
        lock: Lock | None = None,
    ) -> None:
        self._master = master
        self._reactor = reactor
        self._engine = engine
        self._distributed = distributed
        self._locks = locks
        self._lock = lock
        self._builders = builders
        self._roll = Roll(master, reactor, distributed)
        self._pending = PendingSights(master, engine, self.lock, builders)
        self._workers = WorkerSights(master, engine, self._roll.known, self.lock)
        self._fates = Fates(master, reactor)
        self._samples = Samples(master, reactor, engine.fleet)
        self._facts = Facts(master, self._name_of, KEPT)
        self._names: dict[int, str] = {}  # of builders, as of the config in `_names_of`
        self._names_of: Any = None
        self._budget = Budget(reactor.seconds, AT_ONCE, A_SECOND)
        self._answers: OrderedDict[int, tuple[float, RequestSight | None]] = OrderedDict()
        self._asked: dict[int, list[defer.Deferred[RequestSight | None]]] = {}
        self._outdated: set[int] = set()  # of those that somebody asks about just now

    def start(self) -> None:
        self._samples.start()

    def stop(self) -> None:
        self._samples.stop()

    async def look(self) -> None:
        """Whoever shows it asks for this first: see SharedSight. Here all of it is known."""

    # workers

    def workers(self) -> list[WorkerSight]:
        """Those of the config, by name."""
        return self._workers.all()

    def worker(self, workerid: int) -> WorkerSight | None:
        return self._workers.one(workerid)

    def samples(self, workerid: int) -> list[Sample]:
        """Of the last hour, about one a minute, the oldest first."""
        for worker in compat.all_workers(self._master):
            if worker.workerid == workerid:
                return self._samples.of(worker.workername)
        return []

    # locks and builders

    def locks(self) -> list[LockSight]:
        return self._locks()

    def lock(self, name: str, group: str | None = None) -> list[LockSight]:
        if self._lock is not None:
            return self._lock(name, group)
        return [one for one in self._locks() if one.name == name and group in (None, one.group)]

    def builders(self) -> list[BuilderSight]:
        return self._builders()

    def waiting(self, builderid: int) -> int | None:
        """How many requests wait for a builder; None where nobody has counted."""
        listing, name = self._roll.known(), self._names.get(builderid)
        return None if listing is None or name is None else listing.count(name)

    # requests

    async def requests(
        self, offset: int = 0, limit: int | None = None, builderid: int | None = None
    ) -> tuple[list[RequestSight], int]:
        """Pending ones in the order in which they will be looked at, and how many there are."""
        listing = await self._roll.listing()
        if builderid is None:
            return self._pending.of(listing, listing.page(offset, limit)), len(listing)
        name = await self._builder_name(builderid)
        if name is None:
            return [], 0
        page = listing.page(offset, limit, name)
        return self._pending.of(listing, page), listing.count(name)

    async def request(self, requestid: int) -> RequestSight | None:
        """Any one of Buildbot's; None: there is no such request. Asked again at once, it answers
        from memory.
        """
        answer = self._answers.get(requestid)
        if answer is not None and self._reactor.seconds() - answer[0] < AGAIN:
            return answer[1]
        asked = self._asked.get(requestid)
        if asked is not None:  # somebody asks just now
            mine: defer.Deferred[RequestSight | None] = defer.Deferred()
            asked.append(mine)
            return await mine
        self._asked[requestid] = []
        try:
            found = await self._explained(requestid)
        except BaseException:
            failure = Failure()
            self._outdated.discard(requestid)
            for one in self._asked.pop(requestid):
                one.errback(failure)
            raise
        self._remember(requestid, found)
        for one in self._asked.pop(requestid):
            one.callback(found)
        return found

    def changed(self, requestid: int) -> None:
        """What was said of it a moment ago holds no more."""
        self._answers.pop(requestid, None)
        if requestid in self._asked:
            self._outdated.add(requestid)

    def _remember(self, requestid: int, found: RequestSight | None) -> None:
        if requestid in self._outdated:
            self._outdated.discard(requestid)
            return
        self._answers[requestid] = (self._reactor.seconds(), found)
        self._answers.move_to_end(requestid)
        if len(self._answers) > ANSWERS:
            self._answers.popitem(last=False)

    async def _explained(self, requestid: int) -> RequestSight | None:
        row = await self._master.db.buildrequests.getBuildRequest(requestid)
        if row is None:
            return None
        if row.complete or row.claimed:
            return await self._fates.of(row, self._engine.decisions.get(requestid))
        name = await self._builder_name(row.builderid)
        if name is None:
            return await self._fates.elsewhere(row)
        listing = await self._listing_with(requestid)
        if listing.pending(requestid) is None or requestid not in listing:
            return sight_of(row, WAITING, 'is about to start, or has just come')
        await self._look(listing, requestid, name)
        found = self._pending.of(listing, [requestid])
        return found[0] if found else sight_of(row, WAITING, 'is about to start')

    async def _listing_with(self, requestid: int) -> Listing:
        listing = await self._roll.listing()
        if requestid not in listing:  # it is newer than the listing
            self._roll.forget()
            listing = await self._roll.listing()
        return listing

    async def _look(self, listing: Listing, requestid: int, name: str) -> None:
        builder = self._master.botmaster.builders.get(name)
        pending = listing.pending(requestid)
        if builder is None or pending is None:
            return
        if not self._pending.needs_look(listing, requestid):
            return
        if self._budget.may_spend(len(builder.config.workernames)):
            breq = await self._breq(pending)
            if breq is not None:
                await self._pending.look(builder, breq)

    async def _breq(self, pending: Pending) -> Any:
        ours = self._distributed()
        return await (self._facts.of(pending) if ours is None else ours.breq(pending))

    async def _builder_name(self, builderid: int) -> str | None:
        """None for one that this master does not have."""
        if self._names_of is not self._master.config:
            config = self._master.config
            builders = list(self._master.botmaster.builders.values())
            self._names = {await one.getBuilderId(): one.name for one in builders}
            self._names_of = config
        return self._names.get(builderid)

    def _name_of(self, builderid: int) -> str | None:
        return self._names.get(builderid)
