# SPDX-License-Identifier: GPL-2.0-or-later
"""Orphans: gives back the requests that a dead master had claimed, and ends its builds.

Buildbot's expiry ends the builds, unless the master that does so dies meanwhile, and leaves the
claims for ever. What is found in two looks is ended, by one master: the database says by which.
In the same way this master finds what it has lost itself when its database failed.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any
from typing import Callable

from twisted.internet import defer
from twisted.python.failure import Failure

from buildbot_balancer.cluster import leftovers
from buildbot_balancer.cluster.leftovers import Claim
from buildbot_balancer.cluster.leftovers import Leftovers
from buildbot_balancer.cluster.leftovers import Unfinished
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.log import failed
from buildbot_balancer.log import say
from buildbot_balancer.master import compat
from buildbot_balancer.master.starts import buildrows
from buildbot_balancer.master.trouble import Trouble
from buildbot_balancer.tables.shared_transaction import Again
from buildbot_balancer.tables.shared_transaction import alone

EVERY = 30.0  # seconds between two looks
OWN = 4  # looks at what is this master's own, after its start and after its database has failed


class Orphans:
    """`random()`: 0 to 1. A master that is alone looks only after its database has failed."""

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
        self._own_looks = 0  # that are to come
        self._starting: set[int] = set()  # requests that were about to start at the last look
        self._trouble = Trouble(master, reactor, self._look_at_own)

    def start(self) -> None:
        if not self._started:
            self._started = True
            self._trouble.start()
            self._own_looks = OWN
        if self._timer is None and self._going is None:
            self._next()

    async def stop(self) -> None:
        self._started = False
        self._trouble.stop()
        self._cancel()
        if self._going is not None:
            await self._going

    def _look_at_own(self) -> None:
        self._own_looks = OWN
        if self._timer is None and self._going is None:
            self._next()

    @property
    def _own(self) -> int:
        return int(self._master.masterid)

    async def look(self) -> None:
        """Ends what was there at the last look, too."""
        model, own = self._master.db.model, self._own
        try:
            found = Leftovers()
            if self._master.config.multiMaster:
                found = await self._database.ask(leftovers.find, model, own)
            if self._own_looks:
                mine = await self._database.ask(leftovers.find_own, model, own)
                found = found.and_of(mine.without(*self._known()))
                self._own_looks -= 1
            before, self._found = self._found, found
            await self._end(found.also_in(before))
        except BalancerError as e:
            self._complain(str(e))
        else:
            self._problem = ''

    def _known(self) -> tuple[set[int], set[int]]:
        """Requests and builds that this master is about to build, or builds."""
        builds = [build for _, _, build in compat.builds_in_place(self._master)]
        requests = {one.id for build in builds for one in build.requests}
        # Buildbot's own distributor forgets there what it could not claim
        before, self._starting = self._starting, compat.requests_about_to_start(self._master)
        requests |= self._starting - before
        return requests, {build.buildid for build in builds}

    def _next(self) -> None:
        if self._started and (self._master.config.multiMaster or self._own_looks):
            wait = EVERY * (0.75 + self._random() / 2)
            self._timer = self._reactor.callLater(wait, self._begin)

    def _cancel(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _begin(self) -> None:
        self._timer = None
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
        for buildset in sorted(left.buildsets):
            await self._complete_buildset(buildset)
        for masterid, name in sorted(left.names.items()):
            builds = [one for one in left.builds if one.masterid == masterid]
            ended = [await self._finish(build) for build in builds]
            if None in ended:
                continue  # its claims are what leads to its builds
            claims = [one for one in left.claims if one.masterid == masterid]
            complete, requests = await self._end_claims(claims)
            if any(ended) or complete or requests:
                whose = 'this master has' if masterid == self._own else f'master {name}, dead, has'
                say(
                    f'{whose} left behind: {sum(map(bool, ended))} builds, ended as retry;'
                    f' {complete} requests that were built, complete now;'
                    f' {requests} requests, given back'
                )

    async def _complete_buildset(self, buildset: int) -> None:
        try:
            await self._master.data.updates.maybeBuildsetComplete(buildset)
        except Exception:
            failed(Failure(), f'completing buildset {buildset}')

    async def _finish(self, build: Unfinished) -> bool | None:
        """None: others were in the way, and there is another look."""
        at = int(self._reactor.seconds())
        finished = await self._ask(leftovers.finish, build, at)
        if finished is Again.TRY:
            return None
        if finished is None:
            return False
        await buildrows.tell(self._master, finished)
        return True

    async def _end_claims(self, claims: list[Claim]) -> tuple[int, int]:
        """How many are complete, as their builds are, and how many are given back."""
        complete = given = 0
        for some in _batches(claims):
            results = await self._ask(leftovers.built, some[0].masterid, some)
            if results is Again.TRY:
                continue
            for request, result in results.items():
                await self._master.data.updates.completeBuildRequests([request], result)
            complete += len(results)
            given += await self._unclaim([x for x in some if x.buildrequestid not in results])
        return complete, given

    async def _unclaim(self, claims: list[Claim]) -> int:
        if not claims:
            return 0
        requests = await self._ask(leftovers.unclaim, claims[0].masterid, claims)
        if not requests or requests is Again.TRY:
            return 0
        await self._master.data.rtypes.buildrequest.generateEvent(requests, 'unclaimed')
        return len(requests)

    async def _ask(self, work: Callable[..., Any], *args: Any) -> Any:
        """Again.TRY where others were in the way: there is another look."""
        model, own = self._master.db.model, self._own
        return await self._database.ask(alone, work, model, own, *args)

    def _complain(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            say(f'what dead masters have left stays as it is for now: {problem}')


def _batches(claims: Iterable[Claim]) -> Iterable[list[Claim]]:
    left = iter(sorted(claims, key=lambda one: one.buildrequestid))
    while batch := list(islice(left, leftovers.AT_ONCE)):
        yield batch
