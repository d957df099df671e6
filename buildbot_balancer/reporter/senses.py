# SPDX-License-Identifier: GPL-2.0-or-later
"""Senses: the probes that the owner's settings ask for, and what each of them said last.

Each is asked in a thread, so one that hangs is alone in it: the others go on, and what it said
last grows old.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import Callable

import attrs
from twisted.internet import defer
from twisted.python.failure import Failure

from buildbot_balancer.availability.text import describe
from buildbot_balancer.log import say
from buildbot_balancer.reporter.measured import Reading
from buildbot_balancer.reporter.probes.unknown import UnknownError

RunInThread = Callable[..., 'defer.Deferred[Any]']


@attrs.frozen
class Sense:
    """A probe, and the seconds from one question to the next."""

    probe: Any
    every: float


class Senses:
    """`steady`: seconds of a clock that never steps; `told` is called after each answer."""

    def __init__(
        self,
        senses: Iterable[Sense],
        run: RunInThread,
        steady: Callable[[], float],
        told: Callable[[], None],
        readings: Mapping[str, Reading] | None = None,
    ) -> None:
        """`readings`: what is known already."""
        self._due = {sense.probe.name: (sense, steady()) for sense in senses}
        self._run = run
        self._steady = steady
        self._told = told
        self._asked: set[str] = set()
        self._said: dict[str, str] = {}
        self._open = True
        self.readings: dict[str, Reading] = dict(readings or {})

    def ask(self, now: float) -> None:
        """Those whose time has come. `now`: epoch seconds."""
        steady = self._steady()
        for name, (sense, due) in self._due.items():
            if steady >= due and name not in self._asked:
                self._asked.add(name)
                self._due[name] = (sense, steady + sense.every)
                asked = self._run(sense.probe.sample, now)
                asked.addBoth(self._answered, name)

    def heard(self, name: str, value: Any) -> None:
        """A value that came by another way; None: it is unknown now."""
        if value is None:
            self._unknown(name, 'not measured')
        else:
            self.readings[name] = Reading(value, self._steady(), '')

    def close(self) -> None:
        """What is still asked for is not heard any more."""
        self._open = False

    def _answered(self, answer: Any, name: str) -> None:
        self._asked.discard(name)
        if not self._open:
            return
        if isinstance(answer, Failure):
            self._unknown(name, _why(answer.value))
        elif answer is None:
            self._unknown(name, 'not measured')
        else:
            self._said.pop(name, None)
            self.readings[name] = Reading(answer, self._steady(), '')
        self._told()

    def _unknown(self, name: str, why: str) -> None:
        before = self.readings.get(name, Reading())
        self.readings[name] = attrs.evolve(before, why=why)
        if self._said.get(name) != why:
            self._said[name] = why
            say(f'{name} is unknown: {why}')


def _why(error: BaseException | None) -> str:
    if error is None or isinstance(error, UnknownError):
        return str(error)
    return describe(error)
