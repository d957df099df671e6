# SPDX-License-Identifier: GPL-2.0-or-later
"""Parts: what the service is made of while it runs, and who tells whom."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import attrs

from buildbot_balancer.master.distribution import Distribution
from buildbot_balancer.master.engine import GATE
from buildbot_balancer.master.engine import Engine
from buildbot_balancer.master.experience import Experience
from buildbot_balancer.master.fleet import COUNTED
from buildbot_balancer.master.fleet import GONE
from buildbot_balancer.master.fleet import LOST
from buildbot_balancer.master.fleet import WILLING
from buildbot_balancer.master.fleet import Fleet
from buildbot_balancer.master.gates import Gates
from buildbot_balancer.master.healer import Healer
from buildbot_balancer.master.hooks import Hooks
from buildbot_balancer.master.link import Link
from buildbot_balancer.master.pastbuilds import PastBuilds
from buildbot_balancer.master.pauses import Pauses
from buildbot_balancer.master.releases import Releases
from buildbot_balancer.master.settings import Settings
from buildbot_balancer.master.wakes import Wakes


@attrs.frozen(eq=False)
class Parts:
    engine: Engine
    hooks: Hooks
    link: Link
    healer: Healer
    pauses: Pauses
    wakes: Wakes
    releases: Releases
    gates: Gates
    experience: Experience
    distribution: Distribution

    def configure(self, settings: Settings) -> None:
        engine = self.engine
        if settings != engine.settings:  # otherwise what gates have said so far goes on counting
            engine.settings = settings
            engine.fleet.set_rules(settings.rules)

    async def stop(self, master: Any) -> None:
        """A master that ends takes its word with it: who attaches to the next one is held.
        One that goes on without us must first say that its word counts no more.
        """
        await self.distribution.take_out()
        await self.link.stop(take_leave=bool(master.running))
        self.hooks.take_off()
        self.pauses.stop()
        self.wakes.stop()
        self.gates.stop()
        await self.experience.stop()
        self.engine.parents.stop()
        self.engine.stop()
        self.releases.stop()
        self.healer.stop()
        self.engine.fleet.stop()


def assemble(master: Any, reactor: Any) -> Parts:
    botmaster = master.botmaster

    def wake(builders: list[str]) -> None:
        botmaster.brd.maybeStartBuildsOn(builders)  # the distributor may be another one by then

    def builders_of(worker: str) -> list[str]:
        return [builder.name for builder in botmaster.getBuildersForWorker(worker)]

    wakes = Wakes(reactor, wake, builders_of)

    def opened(waiters: Collection[str | int]) -> None:
        wakes.soon(one for one in waiters if isinstance(one, str))
        distribution.lock_opened({one for one in waiters if isinstance(one, int)})

    releases = Releases(opened)

    def told(event: str, worker: Any) -> None:
        if event == WILLING:
            wakes.worker(worker.workername)
        elif event == COUNTED:
            link.counted(worker)
        elif event == LOST:
            healer.lost(worker.workername)
            wakes.happened(GONE, worker.workername)
        wakes.happened(event, worker.workername)
        if event != COUNTED:
            distribution.worker_changed(worker.workername)

    def gate_changed(worker: str) -> None:
        wakes.happened(GATE, worker)
        distribution.worker_changed(worker)

    fleet = Fleet(master, reactor, Settings().rules, told)
    healer = Healer(reactor, fleet.builds)
    link = Link(master, reactor, fleet)
    engine = Engine(master, reactor, fleet, wakes, releases)
    pauses = Pauses(reactor, lambda builder: wakes.soon([builder]))
    hooks = Hooks(master, fleet, engine.complaints, engine.reservations, pauses, engine.started)
    distribution = Distribution(
        master, reactor, engine, releases, hooks.guard_place, pauses.is_paused
    )
    return Parts(
        engine=engine,
        hooks=hooks,
        link=link,
        healer=healer,
        pauses=pauses,
        wakes=wakes,
        releases=releases,
        gates=Gates(reactor, gate_changed),
        experience=Experience(master, reactor, PastBuilds(master)),
        distribution=distribution,
    )
