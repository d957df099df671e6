# SPDX-License-Identifier: GPL-2.0-or-later
"""Orphans: gives back the requests that a dead master had claimed, and ends its builds.

Buildbot's expiry ends the builds, unless the master that does so dies meanwhile, and leaves the
claims for ever. What is found in two looks is ended, by one master: the database says by which.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any
from typing import Callable

from twisted.internet import defer

from buildbot_balancer.cluster import leftovers
from buildbot_balancer.cluster.leftovers import Claim
from buildbot_balancer.cluster.leftovers import Finished
from buildbot_balancer.cluster.leftovers import Leftovers
from buildbot_balancer.cluster.leftovers import Unfinished
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.log import failed
from buildbot_balancer.log import say
from buildbot_balancer.master import compat
from buildbot_balancer.tables.shared_transaction import Again
from buildbot_balancer.tables.shared_transaction import alone

EVERY = 30.0  # seconds between two looks


class Orphans:
    """`random()`: 0 to 1."""

    def __init__(
        self, master: Any, reactor: Any, database: Any, random: Callable[[], float]
    ) -> None:
        self._master = master
        self._reactor = reactor
        self._database = database
        self._random = random
        self._found = Leftovers()
        self._problem = ''
        self._timer: Any = None
        self._going: defer.Deferred[None] | None = None
        self._started = False

    def start(self) -> None:
        if not self._started:
            self._started = True
            self._next()

    async def stop(self) -> None:
        self._started = False
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._going is not None:
            await self._going

    async def look(self) -> None:
        """Ends what was there at the last look, too."""
        model, own = self._master.db.model, self._master.masterid
        try:
            found = await self._database.ask(leftovers.find, model, own)
            claimed = await self._database.ask(leftovers.find_own, model, own)
            found = found.and_of(claimed.without(*self._known()))
            before, self._found = self._found, found
            await self._end(found.also_in(before))
        except BalancerError as e:
            self._complain(str(e))
        else:
            self._problem = ''

    def _known(self) -> tuple[set[int], set[int]]:
        """Requests and builds that this master is about to build, or builds."""
        builds = [build for _, _, build in compat.builds_going_on(self._master)]
        requests = {one.id for build in builds for one in build.requests}
        requests |= compat.requests_about_to_start(self._master)
        return requests, {build.buildid for build in builds}

    def _next(self) -> None:
        if self._started:
            wait = EVERY * (0.75 + self._random() / 2)
            self._timer = self._reactor.callLater(wait, self._begin)

    def _begin(self) -> None:
        going: defer.Deferred[None] = defer.Deferred()
        self._going = going
        done = defer.ensureDeferred(self.look())
        done.addErrback(failed, 'looking for what dead masters have left')
        done.addCallback(self._ended, going)

    def _ended(self, _: Any, going: defer.Deferred[None]) -> None:
        self._going = None
        self._next()
        going.callback(None)

    async def _end(self, left: Leftovers) -> None:
        """The builds first: their requests may start anew as soon as they are given back."""
        for masterid, name in sorted(left.names.items()):
            builds = [one for one in left.builds if one.masterid == masterid]
            ended = [build for build in builds if await self._finish(build)]
            claims = [one for one in left.claims if one.masterid == masterid]
            requests = [one for some in _batches(claims) for one in await self._unclaim(some)]
            if ended or requests:
                run = 'an earlier run of ' if masterid == self._master.masterid else ''
                say(
                    f'{run}master {name} is dead: {len(ended)} of its builds are ended as retry,'
                    f' {len(requests)} of its requests are given back'
                )

    async def _finish(self, build: Unfinished) -> bool:
        at = int(self._reactor.seconds())
        finished = await self._ask(leftovers.finish, build, at)
        if finished is None:
            return False
        await self._tell_of(finished)
        return True

    async def _tell_of(self, finished: Finished) -> None:
        """As Buildbot tells of them."""
        types = self._master.data.rtypes
        for log in finished.logs:
            await types.log.generateEvent(log, 'finished')
        for step in finished.steps:
            await types.step.generateEvent(step, 'finished')
        await types.build.generateEvent(finished.buildid, 'finished')

    async def _unclaim(self, claims: list[Claim]) -> list[int]:
        requests: list[int] = await self._ask(leftovers.unclaim, claims[0].masterid, claims) or []
        if requests:
            await self._master.data.rtypes.buildrequest.generateEvent(requests, 'unclaimed')
        return requests

    async def _ask(self, work: Callable[..., Any], *args: Any) -> Any:
        """None where others were in the way: there is another look."""
        model, own = self._master.db.model, self._master.masterid
        answer = await self._database.ask(alone, work, model, own, *args)
        return None if answer is Again.TRY else answer

    def _complain(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            say(f'what dead masters have left stays as it is for now: {problem}')


def _batches(claims: Iterable[Claim]) -> Iterable[list[Claim]]:
    left = iter(sorted(claims, key=lambda one: one.buildrequestid))
    while batch := list(islice(left, leftovers.AT_ONCE)):
        yield batch
