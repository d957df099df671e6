# SPDX-License-Identifier: GPL-2.0-or-later
"""Endings: a build comes to its end also where the database fails just then.

Buildbot 4.3 writes to the database between two steps and at the end of a build, and gives up what
it was doing where that fails: the build never ends, its worker stays taken, its requests stay
claimed, until the master is restarted. Here the end is written again until it is there.

Over ``build.buildFinished`` and what runs one step (``compat.NEXT_STEP``), while the build lives.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any
from typing import Callable

import attrs
from buildbot.process.results import EXCEPTION
from buildbot.process.results import RETRY
from buildbot.process.results import SUCCESS
from buildbot.process.results import worst_status
from twisted.internet import defer
from twisted.python.failure import Failure

from buildbot_balancer.availability.text import clean
from buildbot_balancer.log import failed
from buildbot_balancer.log import say
from buildbot_balancer.master import compat
from buildbot_balancer.master.overlays import Overlays
from buildbot_balancer.master.starts import buildrows
from buildbot_balancer.master.trouble import is_lost
from buildbot_balancer.tables.attempt import Outcome
from buildbot_balancer.tables.attempt import attempt

PAUSE = 0.5  # seconds after which a database that failed is asked again
LONGEST = 8.0
LONGEST_TEXT = 1000  # characters
LOST = 'lost its database'
OFTEN = 3  # losses in a row after which a request is not built again: its build may be why
KNOWN = 1000  # requests whose losses are counted


@attrs.define(eq=False)
class _Ending:
    build: Any
    overlays: Overlays
    text: str = ''
    results: int = SUCCESS
    told: bool = False  # that the build is finished
    untidy: bool = False  # it was given up, and may have left a step or a log open
    pause: float = attrs.field(factory=lambda: PAUSE)
    timer: Any = None
    complained: bool = False


class Endings:
    def __init__(self, master: Any, reactor: Any) -> None:
        self._master = master
        self._reactor = reactor
        self._all: dict[int, _Ending] = {}  # by id() of the build, which they keep alive
        self._losses: OrderedDict[int, int] = OrderedDict()  # by request

    def watch(self, build: Any) -> None:
        """From its first step on; quiet where it is watched already."""
        if id(build) in self._all:
            return
        ending = self._all[id(build)] = _Ending(build, Overlays())

        def finish(stock: Callable[..., Any]) -> Callable[..., Any]:
            return lambda text, results: self._finish(ending, stock, text, results)

        def next_step(stock: Callable[..., Any]) -> Callable[..., Any]:
            return lambda step: defer.maybeDeferred(stock, step).addErrback(self._gave_up, ending)

        ending.overlays.put(build, 'buildFinished', finish)
        if hasattr(build, compat.NEXT_STEP):  # which is private
            ending.overlays.put(build, compat.NEXT_STEP, next_step)

    def stop(self) -> None:
        for ending in list(self._all.values()):
            self._forget(ending)

    def abandoned(self, build: Any, result: Any) -> defer.Deferred[Any]:
        """Its start has come to its end, with this result, and without a step."""
        ending = self._all.get(id(build))
        if ending is not None and build.buildid is None:
            self._forget(ending)  # the database knows nothing of it
        elif ending is not None:
            ending.untidy = True
        return compat.end_abandoned(build, quarantine=not self._is_lost(build, result))

    def _gave_up(self, why: Failure, ending: _Ending) -> Any:
        """A step was over, or could not begin, and the build does not go on."""
        build = ending.build
        if build.finished:
            return why
        ending.untidy = True
        lost = self._is_lost(build, why)
        if not lost:
            failed(why, f'a step of {build.builder.name} #{build.number} ended the build')
        say(f'{_named(build)} {LOST if lost else "was given up"} between two steps; it is ended')
        compat.stop_command(build, LOST).addErrback(failed, 'stopping what a build was doing')
        text = ['build', LOST] if lost else ['build', 'exception']
        return build.buildFinished(text, RETRY if lost else EXCEPTION)

    def _finish(
        self, ending: _Ending, stock: Callable[..., Any], text: list[str], results: int
    ) -> defer.Deferred[None]:
        ending.text = clean(' '.join(map(str, text)), LONGEST_TEXT)
        ending.results = worst_status(ending.results, results)
        ending.untidy = ending.untidy or EXCEPTION in (results, ending.build.results)
        # it never raises: what fails is in the log, and the build where it was
        return defer.maybeDeferred(stock, text, results).addCallback(self._look, ending)

    def _look(self, _: Any, ending: _Ending) -> None:
        if id(ending.build) not in self._all:
            return
        if not ending.untidy and not compat.is_in_place(ending.build):
            if ending.build.results != RETRY:
                self._losses.pop(ending.build.requests[0].id, None)
            self._forget(ending)
        elif ending.timer is None:
            ending.timer = self._reactor.callLater(ending.pause, self._try, ending)

    def _try(self, ending: _Ending) -> None:
        ending.timer = None
        ending.pause = min(2 * ending.pause, LONGEST)
        trying = defer.ensureDeferred(self._end(ending))
        trying.addErrback(failed, f'while ending {_named(ending.build)}')
        trying.addCallback(self._look, ending)

    async def _end(self, ending: _Ending) -> None:
        build, in_place = ending.build, compat.is_in_place(ending.build)
        if in_place:  # Buildbot may have failed before it has said so
            build.finished = True
            build.results = worst_status(build.results, ending.results)
        finished = await self._write(ending)
        if finished is None:
            return
        ending.untidy = False
        await buildrows.tell(self._master, finished, build=in_place and not ending.told)
        ending.told = True
        if not compat.is_in_place(build):
            return
        if finished.results == RETRY:  # a master that took this one for dead may have said so
            build.results = RETRY
        say(f'the end of {_named(build)} is written now')
        compat.release_place(build)

    async def _write(self, ending: _Ending) -> buildrows.Finished | None:
        """None: the database cannot be asked."""
        build = ending.build
        outcome: Outcome = await self._master.db.pool.do_with_engine(
            attempt,
            _written,
            self._master.db.model,
            build.buildid,
            build.results,
            int(self._reactor.seconds()),
            ending.text,
        )
        if outcome.problem and not ending.complained:
            ending.complained = True
            say(f'the end of {_named(build)} cannot be written yet: {outcome.problem}')
        finished: buildrows.Finished | None = outcome.value
        return finished

    def _is_lost(self, build: Any, result: Any) -> bool:
        """The database failed, and neither the worker nor the build is to blame."""
        if not isinstance(result, Failure) or not is_lost(result.value):
            return False
        request = build.requests[0].id
        self._losses[request] = self._losses.pop(request, 0) + 1
        if len(self._losses) > KNOWN:
            self._losses.popitem(last=False)
        return self._losses[request] <= OFTEN

    def _forget(self, ending: _Ending) -> None:
        ending.overlays.take_off()
        if ending.timer is not None:
            ending.timer.cancel()
            ending.timer = None
        self._all.pop(id(ending.build), None)


def _written(
    connection: Any, model: Any, buildid: int, results: int, at: int, text: str
) -> buildrows.Finished:
    """Also where the row was written, and nobody heard of it."""
    finished = buildrows.finish(connection, model, buildid, results, at, text)
    return finished or buildrows.close(connection, model, buildid, results, at)


def _named(build: Any) -> str:
    return f'build {build.builder.name} #{build.number}'
