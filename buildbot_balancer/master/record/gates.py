# SPDX-License-Identifier: GPL-2.0-or-later
"""Gates: asks the questions of util.Gate from time to time, outside the loop that starts builds."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any
from typing import Callable

from twisted.internet import defer
from twisted.internet import task
from twisted.python.failure import Failure

from buildbot_balancer.availability.text import describe
from buildbot_balancer.log import say
from buildbot_balancer.policy.gate import Gate

TIMEOUT = 60.0  # seconds for one answer


class Gates:
    """`changed(workername)`: what the gates say of a worker is another thing now."""

    def __init__(self, reactor: Any, changed: Callable[[str], None]) -> None:
        self._reactor = reactor
        self._changed = changed
        self._loops: list[task.LoopingCall] = []
        self._asked: set[defer.Deferred[Any]] = set()
        self._generation = 0
        self._said: dict[tuple[int, str], str] = {}

    def watch(self, gates: Iterable[Gate], workers: Iterable[str]) -> None:
        """In the place of what was watched before; each gate is asked at once."""
        self.stop()
        known = list(workers)
        for gate in {id(gate): gate for gate in gates}.values():
            names = sorted(name for name in known if gate.matches(name))
            loop = task.LoopingCall(self._ask_all, gate, names)
            loop.clock = self._reactor
            loop.start(gate.every)
            self._loops.append(loop)

    def stop(self) -> None:
        for loop in self._loops:
            if loop.running:
                loop.stop()
        self._loops = []
        self._generation += 1
        self._said.clear()
        for asked in list(self._asked):
            asked.cancel()

    def _ask_all(self, gate: Gate, names: list[str]) -> defer.Deferred[Any]:
        return defer.DeferredList([self._ask(gate, name) for name in names])

    def _ask(self, gate: Gate, name: str) -> defer.Deferred[Any]:
        args = (name,) if _takes_a_name(gate.check_function) else ()
        asked: defer.Deferred[Any] = defer.maybeDeferred(gate.check_function, *args)
        asked.addTimeout(min(TIMEOUT, max(gate.every, 1)), self._reactor)
        asked.addCallback(bool)
        self._asked.add(asked)
        asked.addBoth(self._answered, gate, name, asked, self._generation)
        return asked

    def _answered(
        self, answer: Any, gate: Gate, name: str, asked: defer.Deferred[Any], generation: int
    ) -> None:
        self._asked.discard(asked)
        if generation != self._generation:
            return  # nobody watches that gate any more
        if isinstance(answer, Failure):
            self._failed(gate, name, answer)
        else:
            self._record(gate, name, opened=answer, problem=None)

    def _failed(self, gate: Gate, name: str, why: Failure) -> None:
        if why.check(defer.TimeoutError):
            problem = 'did not answer in time'
        else:
            problem = f'raised {describe(why.value) if why.value else "something"}'
        self._record(gate, name, opened=False, problem=problem)

    def _record(self, gate: Gate, name: str, *, opened: bool, problem: str | None) -> None:
        key = (id(gate), name)
        if problem is not None and self._said.get(key) != problem:
            say(f'the gate of worker {name} {problem}; it is closed')
        self._said[key] = problem or ''
        if gate.record(name, opened=opened, now=self._reactor.seconds(), problem=problem):
            self._changed(name)


def _takes_a_name(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind('worker')
    except TypeError:
        return False
    except ValueError:  # a builtin that does not tell
        return True
    return True
