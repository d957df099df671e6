# SPDX-License-Identifier: GPL-2.0-or-later
"""Starts: from ``builder.maybeStartBuild`` until ``Build.startBuild`` has come to its end.

Buildbot makes the build in between and tells nobody. ``wfb.buildStarted`` is called right after,
so an instance attribute there, for the time of one start, finds the build before it does anything.
"""

from __future__ import annotations

from contextvars import copy_context
from typing import Any
from typing import Callable

from twisted.internet import defer
from twisted.python.failure import Failure

from buildbot_balancer.log import failed
from buildbot_balancer.log import say
from buildbot_balancer.master import compat
from buildbot_balancer.master.locks.reservations import Reservation
from buildbot_balancer.master.locks.reservations import Reservations
from buildbot_balancer.master.locks.workerlocks import STARTING
from buildbot_balancer.master.overlays import Overlays
from buildbot_balancer.master.starts.endings import Endings


class Starts:
    """Binds what was reserved to the build, and ends builds whose start came to nothing.

    Buildbot 4.3.0 never ends a build that is cancelled, or whose ``do_build_if``, database or
    connection fails, before its first step: its place stays taken, its request claimed.
    """

    def __init__(self, reservations: Reservations, endings: Endings) -> None:
        self._reservations = reservations
        self._endings = endings

    def start(
        self, stock: Callable[..., Any], reservation: Reservation, wfb: Any, breqs: list[Any]
    ) -> defer.Deferred[Any]:
        """What `stock`, Buildbot's ``builder.maybeStartBuild``, returns."""
        overlays = Overlays()

        def build_started(before: Callable[[], Any]) -> Callable[[], Any]:
            def started() -> Any:
                result = before()
                build = compat.newest_build(wfb, breqs)
                if build is not None:
                    self._bind(reservation, build)
                return result

            return started

        def take_off(result: Any) -> Any:
            overlays.take_off()
            if result is not True or reservation.build is None:
                self._reservations.end(reservation.request)
            return result

        overlays.put(wfb, 'buildStarted', build_started)
        return defer.maybeDeferred(stock, wfb, breqs).addBoth(take_off)

    def _bind(self, reservation: Reservation, build: Any) -> None:
        self._reservations.bind(reservation, build)
        self._endings.watch(build)
        stock = build.startBuild

        def start_build(wfb: Any) -> defer.Deferred[Any]:
            # all that startBuild does, also later, runs in this context
            starting: defer.Deferred[Any] = copy_context().run(_within, reservation, stock, wfb)
            return starting.addBoth(self._start_is_over, reservation, build)

        build.startBuild = start_build

    def _start_is_over(self, result: Any, reservation: Reservation, build: Any) -> Any:
        if compat.has_begun(build):
            self._reservations.started(reservation)
        elif build.stopped or isinstance(result, Failure):
            say(f'a build of {build.builder.name} was given up while it started; it is ended')
            ended = self._endings.abandoned(build, result)
            ended.addErrback(failed, 'while ending a build that was given up')
        return result


def _within(
    reservation: Reservation, start_build: Callable[[Any], Any], wfb: Any
) -> defer.Deferred[Any]:
    STARTING.set(reservation)
    return defer.maybeDeferred(start_build, wfb)
