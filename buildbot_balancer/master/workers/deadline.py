# SPDX-License-Identifier: GPL-2.0-or-later
"""Deadline: when the time of a drain is over, builds that still run there run again elsewhere.

The owner's report tells how many seconds are left, so the clocks need not agree.
"""

from __future__ import annotations

from typing import Any
from typing import Callable

from buildbot.process.results import RETRY
from twisted.internet import defer

from buildbot_balancer.availability.standing import Heard
from buildbot_balancer.log import failed
from buildbot_balancer.log import say
from buildbot_balancer.master import compat
from buildbot_balancer.master.overlays import Overlays
from buildbot_balancer.master.workers.builds import Builds

AGAIN = 30.0  # seconds for the step that was stopped, and for each that cleans up after it
REASON = 'the deadline of the drain of its worker is over'


class Deadline:
    """`heard_of(worker)`: its last report, where that came over the connection that there is."""

    def __init__(
        self, reactor: Any, builds: Builds, heard_of: Callable[[Any], Heard | None]
    ) -> None:
        self._reactor = reactor
        self._builds = builds
        self._heard_of = heard_of
        self._timers: dict[str, Any] = {}
        self._stopped: dict[int, tuple[Any, float]] = {}  # builds by identity, and when
        self._overlays = Overlays()

    def look(self, worker: Any) -> None:
        """Something about it has changed: its word, its connection, or the number of builds."""
        name = worker.workername
        self._cancel(name)
        self._forget_finished()
        at = self._moment(worker)
        if at is None or not self._builds.count(name):
            return
        now = self._reactor.seconds()
        if now >= at:
            at = self._stop_all(name, now)
        self._timers[name] = self._reactor.callLater(at - now, self.look, worker)

    def stop(self) -> None:
        """A build that is being stopped ends as it would have: what is put on it stays there."""
        for name in [*self._timers]:
            self._cancel(name)

    def _cancel(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None and timer.active():
            timer.cancel()

    def _moment(self, worker: Any) -> float | None:
        heard = self._heard_of(worker)
        if heard is None or not heard.report.draining or heard.report.deadline is None:
            return None
        return heard.at + heard.report.deadline

    def _stop_all(self, name: str, now: float) -> float:
        """When to look again. A second stop reaches the step that runs by then."""
        first = now
        for build in self._builds.of(name):
            _, since = self._stopped.get(id(build), (build, now - AGAIN))
            if now - since >= AGAIN:
                self._stopped[id(build)] = (build, now)
                self._stop(build, name)
            else:
                first = min(first, since)
        return first + AGAIN

    def _forget_finished(self) -> None:
        over = [key for key, (build, _) in self._stopped.items() if build.finished]
        for key in over:
            del self._stopped[key]
        self._overlays.forget(lambda build: not build.finished)

    def _stop(self, build: Any, name: str) -> None:
        if not compat.has_its_worker(build):  # Buildbot ends it as RETRY
            return
        if build.stopped and build.stopped_reason != REASON:  # by a person, who wants no other
            return
        if not build.stopped:
            say(f'{build.builder.name} #{build.number} is stopped on {name}: {REASON}')
        self._overlays.put(build, 'buildFinished', lambda stock: _as_retry(build, stock))
        stopping = defer.maybeDeferred(build.stopBuild, REASON, RETRY)
        stopping.addErrback(failed, 'while stopping a build at a deadline')


def _as_retry(build: Any, stock: Callable[..., Any]) -> Callable[..., Any]:
    """Buildbot 4.3.0 takes the worst of RETRY and of what the interrupted step says, which is
    CANCELLED, so that the request would be lost.
    """

    def finished(text: list[str], results: int) -> Any:
        if build.stopped_reason != REASON:  # a person has stopped it since
            return stock(text, results)
        build.results = RETRY
        return stock(['retry', f'({REASON})'], RETRY)

    return finished
