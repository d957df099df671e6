# SPDX-License-Identifier: GPL-2.0-or-later
"""A load of builds that take locks, on a real master, and what came of it."""

from __future__ import annotations

import time
from random import Random
from typing import Any
from typing import ClassVar

import attrs
from buildbot.process.buildstep import BuildStep
from buildbot.process.results import RETRY
from buildbot.process.results import SUCCESS
from buildbot.util.twisted import async_to_deferred
from twisted.internet import defer
from twisted.internet import reactor
from twisted.internet import task

from support import lock_site as site
from support.lock_faults import Faults
from support.lock_meter import Meter
from support.lock_watch import Watch
from support.masters import MasterCase

BACKLOG = 30  # requests that are pending or running at once
PATIENCE = 4.0  # seconds that a build waits for others to come, so that its locks are full
SWEEP = 40.0  # seconds after which what nobody holds must be free, at the latest


class Metered(BuildStep):
    """30 to 50 ms, one in four and whoever is alone ten times that, so that they meet who should
    not be there; longer while one of its locks was never full, for others to come.
    """

    name = 'metered'
    load: ClassVar[LoadCase]

    async def run(self) -> int:
        load, build = Metered.load, self.build
        takes = site.takings(build.builder.name, build.workername, build.sources[0].branch)
        chosen_at = min(load.watch.chosen_at[request.id] for request in build.requests)
        who = f'{build!r} on {build.workername}'
        load.meter.enter(who, takes, chosen_at - load.slack)
        try:
            alone = any(one.exclusive for one in takes)
            times = 10 if alone or load.random.random() < 0.25 else 1
            await task.deferLater(reactor, times * load.random.uniform(0.03, 0.05))
            await load.together([one.key for one in takes if not one.exclusive])
        finally:
            load.meter.leave(takes)
        return SUCCESS


@attrs.frozen
class Figures:
    """What a load came to."""

    peaks: dict[str, tuple[int, int]]  # peak and limit
    violations: list[str]
    waits: list[str]
    longest_wait: float
    retries: list[str]
    quarantined: list[str]
    unfinished: list[int]
    builds: int
    seconds: float

    def line(self, title: str) -> str:
        shared = {k: v for k, v in self.peaks.items() if not k.startswith(('disk:', 'tool:'))}
        peaks = ' '.join(f'{key} {peak}/{limit}' for key, (peak, limit) in shared.items())
        return (
            f'{title}: {self.builds} builds in {self.seconds:.1f} s; peak/limit: {peaks};'
            f' {len(self.violations)} starts above a limit; {len(self.waits)} builds waited in'
            f' "acquiring locks", at most {1000 * self.longest_wait:.0f} ms;'
            f' {len(self.retries)} RETRYs; {len(self.quarantined)} quarantines;'
            f' {len(self.unfinished)} requests left'
        )

    def complaints(self) -> list[str]:
        """Empty where all went well."""
        below = [
            f'{key} never had more than {peak} of its {limit} units in use'
            for key, (peak, limit) in self.peaks.items()
            if peak < limit and not key.startswith(('disk:', 'tool:'))
        ]
        return [
            *self.violations,
            *below,
            *self.waits,
            *(f'RETRY: {one}' for one in self.retries),
            *(f'{name} was put in quarantine' for name in self.quarantined),
            *(f'request {brid} never ended' for brid in self.unfinished),
        ]


class LoadCase(MasterCase):
    proto = 'null'
    slack = 2.0  # a choice comes a few queries before the claim that tells of it
    meeting = ''  # builds come together at the locks whose names begin so

    async def start_load(self, seed: int, builds: int, services: list[Any]) -> None:
        self.random = Random(seed)
        self.wanted = builds
        self.faults = Faults.drawn(self.random, builds)
        self.submitted: list[int] = []
        self.complete: set[int] = set()
        self.meter: Meter = site.new_meter(time.monotonic)
        Metered.load = self
        await self.start(names=site.WORKERS, services=services)
        self.proto = 'pb'  # of the workers that are connected from here on
        self.watch = Watch(self.master, self.patch, self.random, self.faults)
        self.patch(self.buildbot_worker(site.FLAKY[0]), 'quarantine_timeout', 1)
        for name in site.FLAKY:
            await self.connect(name, reporter=False)
        consumer = await self.master.mq.startConsuming(
            lambda _, row: self.complete.add(row['buildrequestid']),
            ('buildrequests', None, 'complete'),
        )
        self.addCleanup(consumer.stopConsuming)

    def make_config(self, *args: Any, **more: Any) -> dict[str, Any]:
        return {
            'workers': site.make_workers(),
            'protocols': {'null': {}, 'pb': {'port': 'tcp:0:interface=127.0.0.1'}},
            'builders': self.make_builders(site.Limits()),
            'multiMaster': True,
            'buildbotNetUsageData': None,
            **more,
        }

    def make_builders(self, limits: site.Limits) -> list[Any]:
        return site.make_builders(limits, Metered, self.do_build_if)

    def do_build_if(self, build: Any) -> bool:
        return self.watch.do_build_if(build)

    @defer.inlineCallbacks
    def together(self, keys: list[str]) -> Any:
        """Until each of these locks was full once, or nobody has come for a while."""
        keys = self.meter.not_yet_full([key for key in keys if key.startswith(self.meeting)])
        if keys:
            full = self.meter.until_full(keys)
            full.addTimeout(PATIENCE, reactor)
            yield full.addErrback(lambda failure: failure.trap(defer.TimeoutError))

    async def run_load(self, seconds: float) -> Figures:
        began = time.monotonic()
        self.changes = self._changes()
        end = began + seconds
        while len(self.submitted) < self.wanted and time.monotonic() < end:
            await self._submit()
            self.changes_are_due()
            while self.open() and len(self.open()) >= BACKLOG and time.monotonic() < end:
                await task.deferLater(reactor, 0.02)
        while self.open() and time.monotonic() < end:
            await task.deferLater(reactor, 0.02)
        seconds = time.monotonic() - began
        await self.until(lambda: all(one.called for one in self.watch.busy))
        for one in self.watch.busy:
            await one
        return await self._figures(seconds)

    def open(self) -> set[int]:
        return set(self.submitted) - self.complete - self.watch.lost

    async def _submit(self, names: list[str] | None = None, branch: str = '') -> None:
        names = names or [n for n, share in site.SHARES.items() if self.random.random() < share]
        names = names[: max(1, self.wanted - len(self.submitted))]
        updates = self.master.data.updates
        ids = [await updates.findBuilderId(name) for name in names]
        branch = branch or self.random.choice(site.BRANCHES)
        _, brids = await updates.addBuildset(
            waited_for=False,
            builderids=ids,
            sourcestamps=[{'codebase': '', 'branch': branch, 'repository': '', 'project': ''}],
        )
        for brid in brids.values():
            number = len(self.submitted)
            self.submitted.append(brid)
            if number in self.faults.cancelled_pending:
                await self.watch.cancel(brid)
            if number in self.faults.disconnected:
                self.watch.busy.append(self._reconnect(self.random.choice(site.FLAKY)))

    def _changes(self) -> dict[int, site.Limits]:
        """The reconfigs, by the number of requests: one that changes nothing, a lowered limit, a
        raised one.
        """
        return {
            self.wanted // 5: site.Limits(),
            self.wanted * 2 // 5: site.LOWERED,
            self.wanted * 3 // 5: site.RAISED,
        }

    def changes_are_due(self) -> None:
        for number, limits in sorted(self.changes.items()):
            if number <= len(self.submitted):
                del self.changes[number]
                self.watch.busy.append(self._reconfig(limits))

    @async_to_deferred
    async def _reconfig(self, limits: site.Limits) -> None:
        raises = limits is site.RAISED
        if raises:
            limits.tell(self.meter)
        self.config['builders'] = self.make_builders(limits)
        self.master.config_loader.config_dict = self.config
        await self.master.reconfig()
        if not raises:
            limits.tell(self.meter)

    @async_to_deferred
    async def _reconnect(self, name: str) -> None:
        if name in self.workers:
            await self.disconnect(name)
            await task.deferLater(reactor, 0.3)
            await self.connect(name, reporter=False)

    def stop_at_any_rate(self) -> None:
        """For a master that does not come to its end: some builds of a load never do."""
        stop = self.master.stopService

        def stop_in_time() -> defer.Deferred[Any]:
            stopped: defer.Deferred[Any] = defer.maybeDeferred(stop)
            stopped.addTimeout(10, reactor)
            return stopped.addErrback(lambda failure: failure.trap(defer.TimeoutError))

        self.master.stopService = stop_in_time

    def drop_delayed_calls(self) -> None:
        for call in reactor.getDelayedCalls():
            call.cancel()

    async def _figures(self, seconds: float) -> Figures:
        rows = await self.builds()
        started = self.watch.builds
        retried = [started[row['buildid']] for row in rows if row['results'] == RETRY]
        return Figures(
            peaks=self.meter.peaks(),
            violations=list(self.meter.violations),
            waits=self.watch.waits('served-'),
            longest_wait=self.watch.longest_wait('served-'),
            retries=[f'{b.builder} on {b.worker}' for b in retried if b.worker in site.STEADY],
            quarantined=self._quarantined(),
            unfinished=sorted(self.open()),
            builds=len(rows),
            seconds=seconds,
        )

    def _quarantined(self) -> list[str]:
        """Without those where a worker left, or a do_build_if raised."""
        found = [name for name in self.watch.quarantined if name in site.STEADY]
        for name in self.watch.raised_on:
            if name in found:
                found.remove(name)
        return found

    async def branches_again(self) -> list[str]:
        """The branches on which not as many builds as allowed come together once more."""
        self.meter.forget_peaks()
        self.meeting = 'branch:'
        self.wanted += 2 * len(site.BRANCHES)
        for branch in site.BRANCHES:
            for _ in range(site.BRANCH_LIMIT):
                await self._submit(['served-branch'], branch)
        await self.until(lambda: not self.open())
        return self.meter.not_yet_full([f'branch:{branch}' for branch in site.BRANCHES])

    async def not_free(self) -> list[str]:
        """The locks that a stranger could not have all of now."""
        botmaster = self.master.botmaster
        ids = {
            **site.lock_ids(site.RAISED),
            'box': site.util.MasterLock('box', site.BOX_LIMIT),
            'tool': site.util.WorkerLock('tool', 1),
        }
        del ids['version']  # which branch, a stranger cannot say
        found = []
        for name, lock_id in ids.items():
            real = await botmaster.getLockByID(lock_id, self.master.config_version)
            for on in site.WORKERS:
                one = real.getLockForWorker(on)
                if not one.isAvailable(None, lock_id.access('exclusive')):
                    found.append(f'{name} on {on}')
        return found

    async def not_free_in_the_end(self) -> list[str]:
        end = time.monotonic() + SWEEP
        while (found := await self.not_free()) and time.monotonic() < end:
            await task.deferLater(reactor, 0.2)
        return found
