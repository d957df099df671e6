# SPDX-License-Identifier: GPL-2.0-or-later
"""Balancer: the service that a config names."""

from __future__ import annotations

from typing import Any
from typing import ClassVar

from buildbot import config
from buildbot.util.service import BuildbotService
from twisted.internet import defer

from buildbot_balancer.availability.standing import Standing
from buildbot_balancer.cluster.sharedsight import SharedSight
from buildbot_balancer.cluster.sharing import Sharing
from buildbot_balancer.log import say
from buildbot_balancer.master import checks
from buildbot_balancer.master import compat
from buildbot_balancer.master.arguments import Arguments
from buildbot_balancer.master.choice.chooser import BalancedBuildChooser
from buildbot_balancer.master.choice.engine import NAME
from buildbot_balancer.master.choice.engine import Engine
from buildbot_balancer.master.parts import Parts
from buildbot_balancer.master.parts import assemble
from buildbot_balancer.master.record.control import Control
from buildbot_balancer.master.record.history import History
from buildbot_balancer.master.settings import Settings
from buildbot_balancer.master.sight.measures import Measures
from buildbot_balancer.master.sight.scrape import PAGE
from buildbot_balancer.master.sight.sight import Sight


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
        self._parts: Parts | None = None
        self._begun = False  # as far as the distributor
        self._turn = defer.DeferredLock()  # a master may stop while we start
        super().__init__(*args, **kwargs)

    @property
    def engine(self) -> Engine | None:
        """None while the service does not run."""
        return None if self._parts is None else self._parts.engine

    @property
    def sight(self) -> Sight | SharedSight | None:
        """What is shown of requests, workers, locks and builders; None while it does not run."""
        return None if self._parts is None or not self._begun else self._parts.neighbours.sight

    @property
    def sharing(self) -> Sharing | None:
        """What this master wants and has of shared locks; None while it has no part in them."""
        return None if self._parts is None else self._parts.cluster.sharing

    @property
    def measures(self) -> Measures | None:
        """For the page's own path; None where they are not to be had there."""
        parts = self._parts
        if parts is None or parts.engine.settings.metrics != PAGE:
            return None
        return parts.measures

    @property
    def history(self) -> History | None:
        return None if self._parts is None or not self._begun else self._parts.history

    @property
    def control(self) -> Control | None:
        return None if self._parts is None or not self._begun else self._parts.control

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
        if self._parts is None:
            self._parts = assemble(self.master, self.master.reactor)
        parts = self._parts
        parts.configure(self.planned())
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
            await parts.look_at_config(self.master)
            await self._distribute(parts)
        if self.running:  # Buildbot's own wake at a reconfig came before our new settings
            self.master.botmaster.maybeStartBuildsForAllBuilders()

    def startService(self) -> defer.Deferred[None]:
        return self._turn.run(lambda: defer.ensureDeferred(self._start()))

    async def _start(self) -> None:
        await super().startService()
        parts = self._parts
        if parts is not None:
            # On a master that is at work, a start that began before the guards were on is waited
            # for, and counted with the builds that run.
            await self.master.botmaster.brd.activity_lock.run(lambda: None)
            parts.engine.fleet.builds.adopt(self.master)
            await parts.remember()
            await parts.look_at_config(self.master)
            await parts.link.start()
            self._begun = True
            await parts.show()
            await self._distribute(parts)
        # on a master that is at work already, everything is looked at anew
        self.master.botmaster.maybeStartBuildsForAllBuilders()

    def stopService(self) -> defer.Deferred[None]:
        return self._turn.run(lambda: defer.ensureDeferred(self._stop()))

    async def _stop(self) -> None:
        parts, self._parts = self._parts, None
        self._begun = False
        if parts is not None:
            await parts.stop(self.master)
            if self.master.running:  # Buildbot's own wake at a reconfig came before the guards fell
                self.master.botmaster.maybeStartBuildsForAllBuilders()
        await super().stopService()

    async def _distribute(self, parts: Parts) -> None:
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
        served = parts.engine.settings.serves(builder.name)
        if not served or parts.pauses.is_paused(builder.name):  # to which no worker is offered
            return stock(builder, master)
        return BalancedBuildChooser(builder, master, parts.engine)
