# SPDX-License-Identifier: GPL-2.0-or-later
"""Stand: our distributor where Buildbot's tests of distribution expect their own.

Those tests call Buildbot's private methods, and replace one. Where ours does the same thing under
another name, the stand does that. What a test puts into the database is loaded at a reconfig, as
on a master; what the stand asks for itself, and claims, comes by the events of mq.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from buildbot.util.tuplematch import matchTuple
from twisted.internet import defer
from upstream.furniture import InOrder

from buildbot_balancer.availability.standing import Rules
from buildbot_balancer.master.choice.engine import Engine
from buildbot_balancer.master.choice.look import Outcome
from buildbot_balancer.master.distribution.distribution import Distribution
from buildbot_balancer.master.distribution.distributor import BalancedDistributor
from buildbot_balancer.master.distribution.releases import Releases
from buildbot_balancer.master.settings import Settings
from buildbot_balancer.master.workers.fleet import Fleet

VISIT = '_maybeStartBuildsOnBuilder'  # tests put their own in its place


class Stand:
    """In the place of the class BuildRequestDistributor."""

    distribute_only_waited_childs = False

    def __init__(self, botmaster: Any) -> None:
        self.master = botmaster.master
        self._botmaster = botmaster
        self._waiting: dict[str, int] = {}  # requests that the stand has asked for, by builder
        self._asked = 0
        master, reactor = self.master, self.master.reactor
        fleet = Fleet(master, reactor, Rules(), _ignore)
        engine = Engine(master, reactor, fleet, random=InOrder())
        self._distribution = Distribution(master, reactor, engine, Releases(_ignore), _ignore)

    @property
    def _ours(self) -> BalancedDistributor:
        ours = self._distribution._distributor
        assert ours is not None
        return ours

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ours, name)

    def startService(self) -> None:
        master, botmaster = self.master, self._botmaster
        botmaster.brd, botmaster.addService = self, lambda service: service.startService()
        for name in ('add_in_progress_buildrequest', 'remove_in_progress_buildrequest'):
            setattr(botmaster, name, getattr(master.botmaster, name))
        master.botmaster = botmaster
        produce = master.mq.produce

        def deliver(key: Any, message: Any) -> None:
            """The fake mq only remembers."""
            produce(key, message)
            self._tell(key, message)

        master.mq.produce = deliver
        self._reconfigure()

    def disownServiceParent(self) -> Any:
        """When ours takes its place."""
        return defer.succeed(None)

    # what the tests call

    async def _maybeStartBuildsOnBuilder(self, builder: Any) -> None:
        """All that can start of what the database has."""
        self._reconfigure()
        await self._deferwaiter.wait()

    def maybeStartBuildsOn(self, names: list[str]) -> None:
        if VISIT in vars(self):
            self._watch_visits()
            for name in names:
                if name in self._botmaster.builders and name not in self._waiting:
                    self._ask_for_a_build(name)
        self._ours.maybeStartBuildsOn(names)

    async def _sortBuilders(self, names: list[str]) -> list[str]:
        """The order in which builders are visited that have one request each."""
        visited: list[str] = []
        vars(self)[VISIT] = lambda builder: defer.succeed(visited.append(builder.name))
        self._watch_visits()
        async with self.activity_lock:
            for place, name in enumerate(names):
                builder = self._botmaster.builders[name]
                at = await defer.maybeDeferred(builder.getOldestRequestTime)
                priority = await defer.maybeDeferred(builder.get_highest_priority)
                if isinstance(at, datetime):
                    self._ask_for_a_build(name, priority, int(at.timestamp()))
                elif at is not None:  # the test does not say: as they are named
                    self._ask_for_a_build(name, submitted_at=place)
        await self._deferwaiter.wait()
        return visited + [name for name in names if name not in visited]

    # visits: a builder's turn, where a test wants to hear of it

    def _watch_visits(self) -> None:
        builders = self._botmaster.builders
        if self._ours.agenda.builders() == list(builders):
            return
        for builder in builders.values():
            builder.config.workernames = ['any']
        self._reconfigure()
        self._ours._look = Visits(self, self._ours._look)

    def visit(self, builder: Any) -> Any:
        request = self._waiting.pop(builder.name)
        self._tell(('buildrequests', str(request), 'claimed'), {})
        return vars(self)[VISIT](builder)

    def _ask_for_a_build(self, name: str, priority: int = 0, submitted_at: int = 0) -> None:
        self._asked += 1
        self._waiting[name] = self._asked
        message = {
            'buildrequestid': self._asked,
            'builderid': self._botmaster.builders[name].getBuilderId().result,
            'buildsetid': 1,
            'priority': priority,
            'submitted_at': submitted_at,
            'waited_for': False,
        }
        self._tell(('buildrequests', str(self._asked), 'new'), message)

    # how it comes about

    def _reconfigure(self) -> None:
        done: list[Any] = []
        defer.ensureDeferred(self._distribution.put_in(Settings())).addBoth(done.append)
        assert done == [None], done  # the fake database answers at once

    def _tell(self, key: tuple[str, ...], message: Any) -> None:
        for one in list(self.master.mq.qrefs):
            if matchTuple(key, one.filter):
                one.callback(key, message)


class Visits:
    """In the place of a Look."""

    def __init__(self, stand: Stand, look: Any) -> None:
        self._stand = stand
        self._look = look

    def timed(self) -> Any:
        return self._look.timed()

    async def at(self, lane: Any, *rest: Any) -> Outcome:
        builder = self._stand.master.botmaster.builders.get(lane.builder)
        if builder is not None:
            await self._stand.visit(builder)
            return Outcome()
        found: Outcome = await self._look.at(lane, *rest)
        return found


def _ignore(*_: Any) -> None:
    """Nobody is to be told."""
