# SPDX-License-Identifier: GPL-2.0-or-later
"""Healer: ends builds that Buildbot has forgotten, so that their requests run elsewhere.

When a connection is lost while a build is about to start, Buildbot 4.3.0 raises in
``Build.startBuild`` (the place has no worker any more) and never ends the build: its request
stays claimed for ever, and its place counts as building.
"""

from __future__ import annotations

from typing import Any

from twisted.python.failure import Failure

from buildbot_balancer.log import failed
from buildbot_balancer.log import say
from buildbot_balancer.master import compat
from buildbot_balancer.master.workers.builds import Builds

PATIENCE = 5.0  # seconds after a lost connection; by then Buildbot has ended what it will end


class Healer:
    def __init__(self, reactor: Any, builds: Builds) -> None:
        self._reactor = reactor
        self._builds = builds
        self._timers: dict[str, Any] = {}

    def lost(self, name: str) -> None:
        """A worker's connection is gone."""
        timer = self._timers.get(name)
        if self._builds.count(name) and (timer is None or not timer.active()):
            self._timers[name] = self._reactor.callLater(PATIENCE, self._look, name)

    def stop(self) -> None:
        for timer in self._timers.values():
            if timer.active():
                timer.cancel()
        self._timers.clear()

    def _look(self, name: str) -> None:
        del self._timers[name]
        well = 0
        for build in self._builds.of(name):
            if compat.was_forgotten(build):
                say(f'{build.builder.name} #{build.number} lost {name} while it started: ended')
                compat.end_as_retry(build).addErrback(_not_ended)
            elif compat.has_its_worker(build):
                well += 1
        if self._builds.count(name) > well:  # who is slow to end may yet turn out to be forgotten
            self._timers[name] = self._reactor.callLater(PATIENCE, self._look, name)


def _not_ended(why: Failure) -> None:
    failed(why, 'while ending a build that had lost its worker')
