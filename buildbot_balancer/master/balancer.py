# SPDX-License-Identifier: GPL-2.0-or-later
"""Balancer: the service that a config names."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from typing import ClassVar

import attrs
from buildbot import config
from buildbot.util.service import BuildbotService
from twisted.internet import defer

from buildbot_balancer.availability.standing import Standing
from buildbot_balancer.log import say
from buildbot_balancer.master import checks
from buildbot_balancer.master import compat
from buildbot_balancer.master.arguments import Arguments
from buildbot_balancer.master.chooser import BalancedBuildChooser
from buildbot_balancer.master.distribution import Distribution
from buildbot_balancer.master.engine import GATE
from buildbot_balancer.master.engine import NAME
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
from buildbot_balancer.master.releases import Releases
from buildbot_balancer.master.settings import Settings
from buildbot_balancer.master.wakes import Wakes


@attrs.frozen
class _Parts:
    """What the service is made of while it runs."""

    engine: Engine
    hooks: Hooks
    link: Link
    healer: Healer
    wakes: Wakes
    releases: Releases
    gates: Gates
    experience: Experience
    distribution: Distribution


class Balancer(BuildbotService):  # type: ignore[misc]  # Buildbot has no types
    """``c['services'] = [util.Balancer()]``, or util.BalancerConfigurator, which also checks more.

    `builders`: names or globs of the builders that it serves (None: all; the others keep
    Buildbot's chooser, and the owner's word binds them too). `policy` and `policies`
    (``{glob: util.Policy}``). `stale_after`: the age in seconds at which a report's load counts no
    more (None: three heartbeats, at least 30). `report_grace`: seconds for which a worker that has
    just attached and has a reporter is held until it reports. `unreported`: the mood of a worker
    that never reported. `recheck`: seconds after which code that names no reason is asked again.
    """

    name: ClassVar[str] = NAME

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._parts: _Parts | None = None
        self._begun = False  # as far as the distributor
        super().__init__(*args, **kwargs)

    @property
    def engine(self) -> Engine | None:
        """None while the service does not run."""
        return None if self._parts is None else self._parts.engine

    def checkConfig(self, *args: Any, **kwargs: Any) -> None:
        for problem in self.problems(*args, **kwargs):
            config.error(f'util.Balancer: {problem}')

    @staticmethod
    def problems(*args: Any, **kwargs: Any) -> list[str]:
        """What is wrong with these arguments, a sentence each."""
        try:
            return list(Arguments(*args, **kwargs).problems())
        except TypeError as e:  # an argument that there is not
            return [str(e).replace('Arguments.', '').replace('__init__() ', '')]

    @property
    def given(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return self._config_args, self._config_kwargs

    def planned(self) -> Settings:
        """As its arguments say, before it runs."""
        return Settings.of(Arguments(*self._config_args, **self._config_kwargs))

    def reconfigServiceWithSibling(self, sibling: Any) -> defer.Deferred[None]:
        """At each reconfig, also where our own arguments are the same: builders and workers may
        be new.
        """
        return defer.ensureDeferred(self._reconfigure_with(sibling))

    async def _reconfigure_with(self, sibling: Any) -> None:
        # Buildbot's own method compares with the arguments of the first config, for ever, so that
        # a config that goes back to them would change nothing.
        self.configured = True
        self._config_args, self._config_kwargs = sibling.given
        parts = self._configured_parts(self.planned())
        names = checks.names_of(self.master.config)
        settings = parts.engine.settings
        parts.hooks.guard_all()
        parts.engine.fleet.keep_only({*names.workers, *self.master.workers.workers})
        parts.gates.watch(settings.gates(), names.workers)
        await parts.experience.watch(settings.learners())
        parts.engine.parents.watch(self.master.reactor, settings.recheck)
        for finding in checks.findings(settings, self.master.config):
            say(finding)
        if self._begun:
            await self._distribute(parts)
        if self.running:  # Buildbot's own wake at a reconfig came before our new settings
            self.master.botmaster.maybeStartBuildsForAllBuilders()

    def _configured_parts(self, settings: Settings) -> _Parts:
        if self._parts is None:
            self._parts = self._make_parts()
        engine = self._parts.engine
        if settings != engine.settings:  # otherwise what gates have said so far goes on counting
            engine.settings = settings
            engine.fleet.set_rules(settings.rules)
        return self._parts

    def _make_parts(self) -> _Parts:
        master, reactor = self.master, self.master.reactor
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
        hooks = Hooks(master, fleet, engine.complaints, engine.reservations, engine.started)
        distribution = Distribution(master, reactor, engine, releases, hooks.guard_place)
        return _Parts(
            engine=engine,
            hooks=hooks,
            link=link,
            healer=healer,
            wakes=wakes,
            releases=releases,
            gates=Gates(reactor, gate_changed),
            experience=Experience(master, reactor, PastBuilds(master)),
            distribution=distribution,
        )

    def startService(self) -> defer.Deferred[None]:
        return defer.ensureDeferred(self._start())

    async def _start(self) -> None:
        await super().startService()
        parts = self._parts
        if parts is not None:
            # On a master that is at work, a start that began before the guards were on is waited
            # for, and counted with the builds that run.
            await self.master.botmaster.brd.activity_lock.run(lambda: None)
            parts.engine.fleet.builds.adopt(self.master)
            await parts.link.start()
            self._begun = True
            await self._distribute(parts)
        # on a master that is at work already, everything is looked at anew
        self.master.botmaster.maybeStartBuildsForAllBuilders()

    def stopService(self) -> defer.Deferred[None]:
        return defer.ensureDeferred(self._stop())

    async def _stop(self) -> None:
        parts, self._parts = self._parts, None
        self._begun = False
        if parts is not None:
            # A master that ends takes its word with it: who attaches to the next one is held.
            # One that goes on without us must first say that its word counts no more.
            await parts.distribution.take_out()
            await parts.link.stop(take_leave=bool(self.master.running))
            parts.hooks.take_off()
            parts.wakes.stop()
            parts.gates.stop()
            await parts.experience.stop()
            parts.engine.parents.stop()
            parts.engine.stop()
            parts.releases.stop()
            parts.healer.stop()
            parts.engine.fleet.stop()
            if self.master.running:  # Buildbot's own wake at a reconfig came before the guards fell
                self.master.botmaster.maybeStartBuildsForAllBuilders()
        await super().stopService()

    async def _distribute(self, parts: _Parts) -> None:
        """By our distributor where all builders are served, else by Buildbot's with our chooser."""
        if parts.engine.settings.serves_all(self.master.botmaster.builders):
            await parts.distribution.put_in(parts.engine.settings)
        else:
            await parts.distribution.take_out()
            parts.hooks.put_chooser(self._chooser)

    def standing(self, workername: str) -> Standing | None:
        """What is concluded about a worker now; None for one that is not configured."""
        worker = compat.worker_named(self.master, workername)
        if worker is None or self._parts is None:
            return None
        return self._parts.engine.fleet.standing(worker)

    def _chooser(self, stock: Any, builder: Any, master: Any) -> Any:
        parts = self._parts
        if parts is None:
            return stock(builder, master)
        parts.hooks.guard_places(builder)
        if not parts.engine.settings.serves(builder.name):
            return stock(builder, master)
        return BalancedBuildChooser(builder, master, parts.engine)
