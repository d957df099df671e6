# SPDX-License-Identifier: GPL-2.0-or-later
"""Samples: the load and the builds of each worker in the last hour, one sample a minute."""

from __future__ import annotations

import math
from array import array
from typing import Any

from twisted.internet import task

from buildbot_balancer.explain.sights import Sample
from buildbot_balancer.log import failed
from buildbot_balancer.master import compat
from buildbot_balancer.master.workers.fleet import Fleet

EVERY = 60.0  # seconds
KEPT = 60  # samples of a worker
_FIELDS = 3  # numbers of a sample; plain ones, for a thousand workers have 60,000 samples


class Samples:
    """By the worker's name. `start` and `stop` are called once each."""

    def __init__(self, master: Any, reactor: Any, fleet: Fleet) -> None:
        self._master = master
        self._reactor = reactor
        self._fleet = fleet
        self._kept: dict[str, array[float]] = {}
        self._loop = task.LoopingCall(self.take)
        self._loop.clock = reactor

    def start(self) -> None:
        """The first one is taken now."""
        self._loop.start(EVERY).addErrback(failed, 'sampling the workers')

    def stop(self) -> None:
        if self._loop.running:
            self._loop.stop()

    def take(self) -> None:
        """One of each worker of the config; those that have left it are forgotten."""
        now = self._reactor.seconds()
        kept = {}
        for worker in compat.all_workers(self._master):
            name = worker.workername
            standing = self._fleet.standing(worker)
            load = math.nan if standing.load is None else standing.load
            numbers = self._kept.get(name) or array('d')
            numbers.extend((now, load, standing.presence.running))
            del numbers[: -KEPT * _FIELDS]
            kept[name] = numbers
        self._kept = kept

    def of(self, name: str) -> list[Sample]:
        """The oldest first."""
        numbers = self._kept.get(name, ())
        return [
            Sample(
                at=numbers[place],
                load=None if math.isnan(numbers[place + 1]) else numbers[place + 1],
                running=int(numbers[place + 2]),
            )
            for place in range(0, len(numbers), _FIELDS)
        ]
