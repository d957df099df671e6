# SPDX-License-Identifier: GPL-2.0-or-later
"""Parts: what the service is made of while it runs."""

from __future__ import annotations

import functools
import importlib
import time
from typing import Any

import attrs

from buildbot_balancer.availability.cap import Cap
from buildbot_balancer.cluster.cluster import Cluster
from buildbot_balancer.cluster.neighbours import Neighbours
from buildbot_balancer.log import say
from buildbot_balancer.master import compat
from buildbot_balancer.master.choice.engine import Engine
from buildbot_balancer.master.database import Database
from buildbot_balancer.master.distribution.distribution import Distribution
from buildbot_balancer.master.distribution.releases import Releases
from buildbot_balancer.master.distribution.wakes import Wakes
from buildbot_balancer.master.exchange import Exchange
from buildbot_balancer.master.hooks import Hooks
from buildbot_balancer.master.locks.ledger import Ledger
from buildbot_balancer.master.record.control import Control
from buildbot_balancer.master.record.control import Listeners
from buildbot_balancer.master.record.experience import Experience
from buildbot_balancer.master.record.gates import Gates
from buildbot_balancer.master.record.history import History
from buildbot_balancer.master.record.pastbuilds import PastBuilds
from buildbot_balancer.master.record.pauses import Pause
from buildbot_balancer.master.record.pauses import Pauses
from buildbot_balancer.master.record.recorder import Recorder
from buildbot_balancer.master.record.words import Words
from buildbot_balancer.master.settings import Settings
from buildbot_balancer.master.sight.buildersights import BuilderSights
from buildbot_balancer.master.sight.gauges import Gauges
from buildbot_balancer.master.sight.locksights import LockSights
from buildbot_balancer.master.sight.measures import Measures
from buildbot_balancer.master.sight.measures import timed
from buildbot_balancer.master.sight.scrape import PAGE
from buildbot_balancer.master.sight.scrape import Port
from buildbot_balancer.master.sight.sight import Sight
from buildbot_balancer.master.starts.endings import Endings
from buildbot_balancer.master.starts.healer import Healer
from buildbot_balancer.master.workers.deadline import Deadline
from buildbot_balancer.master.workers.durations import Durations
from buildbot_balancer.master.workers.fleet import Fleet
from buildbot_balancer.master.workers.hours import Hours
from buildbot_balancer.master.workers.link import Link
from buildbot_balancer.master.workers.remaining import Remaining

# The rooms above this one are loaded by name: nothing here depends on what they are.
OUTSIDE = 'buildbot_balancer.www.outside'


@attrs.frozen(eq=False)
class Parts:
    engine: Engine
    hooks: Hooks
    hours: Hours
    link: Link
    healer: Healer
    endings: Endings
    deadline: Deadline
    remaining: Remaining
    pauses: Pauses
    control: Control
    wakes: Wakes
    releases: Releases
    gates: Gates
    experience: Experience
    distribution: Distribution
    history: History
    recorder: Recorder
    words: Words
    cluster: Cluster
    ledger: Ledger
    builders: BuilderSights
    sight: Sight
    neighbours: Neighbours
    outside: Any
    measures: Measures
    port: Port

    def configure(self, settings: Settings) -> None:
        engine = self.engine
        self.cluster.membership.next_lease = settings.lease
        if settings != engine.settings:  # otherwise what gates have said so far goes on counting
            engine.settings = settings
            self.hours.set(settings.availability)
            engine.fleet.set_rules(settings.rules)

    async def look_at_config(self, master: Any) -> None:
        """At each reconfig: builders, workers and locks may be new."""
        builders = master.botmaster.builders
        self.builders.know({name: await one.getBuilderId() for name, one in builders.items()})
        await self.ledger.start()
        given = self.engine.settings.metrics
        await self.port.listen(None if given == PAGE else given)
        await self.neighbours.look_at_config()
        problem = self.outside.problem(master.config.www)
        if problem:
            say(problem)

    async def remember(self) -> None:
        """What was said before this master was started holds again before anything starts."""
        caps: dict[str, Cap] = {}
        pauses: dict[str, Pause] = {}
        self.pauses.hold()
        try:
            await self.history.start()
            await self.cluster.start()
            caps = await self.words.load_workers()
            pauses = await self.words.load_builders()
            await self.neighbours.announce()
        finally:
            self.control.load(caps, pauses)
        self.engine.fleet.set_rules(self.engine.settings.rules)
        await self.recorder.start()

    async def show(self) -> None:
        self.sight.start()
        await self.sight.requests(limit=0)  # from here on it knows the builders
        await self.outside.start()
        await self.neighbours.start()

    async def stop(self, master: Any) -> None:
        """A master that ends takes its word with it: who attaches to the next one is held.
        One that goes on without us must first say that its word counts no more.
        """
        await self.outside.stop()
        await self.neighbours.stop()
        self.sight.stop()
        await self.distribution.take_out()
        await self.link.stop(take_leave=bool(master.running))
        self.hooks.take_off()
        self.pauses.stop()
        self.wakes.stop()
        self.gates.stop()
        await self.experience.stop()
        self.engine.parents.stop()
        self.engine.stop()
        await self.ledger.stop()  # after the guards, which lie over what it has put on locks
        await self.cluster.stop()  # after all that reserves and lines up
        self.releases.stop()
        self.healer.stop()
        self.endings.stop()
        self.deadline.stop()
        self.recorder.stop()
        self.engine.fleet.stop()
        await self.history.stop()
        await self.port.stop()


def _engine(
    master: Any, reactor: Any, exchange: Exchange, wakes: Wakes, releases: Releases
) -> Engine:
    fleet = Fleet(master, reactor, Settings().rules, exchange.worker_told)
    fleet.caps_of = exchange.caps_of
    fleet.left_of = exchange.left_of
    engine = Engine(master, reactor, fleet, wakes, releases)
    engine.decisions.told = exchange.decided
    return engine


def _ledger(master: Any, reactor: Any, engine: Engine, exchange: Exchange, outside: Any) -> Ledger:
    ledger = Ledger(master, reactor, engine.guards, engine.reservations)
    ledger.record = exchange.lock_event
    ledger.tell = outside.news.lock_changed
    return ledger


def _cluster(
    master: Any, reactor: Any, database: Database, engine: Engine, outside: Any
) -> Cluster:
    cluster = Cluster(master, reactor, database, engine.random)
    cluster.elsewhere.told = lambda key: outside.news.lock_changed(key.name, key.group)
    return cluster


def assemble(master: Any, reactor: Any) -> Parts:
    exchange = Exchange(master)
    outside = importlib.import_module(OUTSIDE).Outside(master, reactor, exchange.request_changed)
    wakes = Wakes(reactor, exchange.wake, exchange.builders_of)
    releases = Releases(exchange.lock_opened)
    engine = _engine(master, reactor, exchange, wakes, releases)
    fleet = engine.fleet
    pauses = Pauses(reactor, exchange.builder_changed)
    endings = Endings(master, reactor)
    hooks = Hooks(
        master, fleet, engine.complaints, engine.reservations, pauses, endings, exchange.started
    )
    distribution = Distribution(
        master, reactor, engine, releases, hooks.guard_place, pauses.is_paused
    )
    distributed = distribution.distributed
    database = Database(master)
    words = Words(database)
    history = History(database, reactor)
    ledger = _ledger(master, reactor, engine, exchange, outside)
    measures = Measures()
    engine.timed = functools.partial(timed, measures.decision_seconds, time.perf_counter)
    measures.watch(Gauges(master, fleet, engine.decisions, distributed).all())
    told = Listeners(worker=exchange.worker_limited, builder=exchange.builder_changed)
    cluster = _cluster(master, reactor, database, engine, outside)
    locks = LockSights(master, ledger, cluster.elsewhere)
    builders = BuilderSights(pauses, exchange.waiting)
    control = Control(master, fleet, pauses, words, history, reactor.seconds, told)
    sight = Sight(master, reactor, engine, distributed, locks.all, builders.all, locks.named)
    exchange.parts = parts = Parts(
        engine=engine,
        hooks=hooks,
        hours=Hours(),
        link=Link(master, reactor, fleet, exchange.reported),
        healer=Healer(reactor, fleet.builds),
        endings=endings,
        deadline=Deadline(reactor, fleet.builds, fleet.heard_of),
        remaining=Remaining(
            reactor, fleet.builds, Durations(master), fleet.heard_of, exchange.more_known
        ),
        pauses=pauses,
        control=control,
        wakes=wakes,
        releases=releases,
        gates=Gates(reactor, exchange.gate_changed),
        experience=Experience(master, reactor, PastBuilds(master)),
        distribution=distribution,
        history=history,
        recorder=Recorder(history, reactor, fleet.standing, lambda: compat.all_workers(master)),
        words=words,
        cluster=cluster,
        ledger=ledger,
        builders=builders,
        sight=sight,
        neighbours=Neighbours(
            master, reactor, database, words, control, sight, engine.random, time.perf_counter
        ),
        outside=outside,
        measures=measures,
        port=Port(measures),
    )
    return parts
