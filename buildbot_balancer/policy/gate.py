# SPDX-License-Identifier: GPL-2.0-or-later
"""Gate: a question about workers that code of the config's author answers from time to time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from typing import Callable
from typing import ClassVar

import attrs
from zope.interface import implementer

from buildbot_balancer.interfaces import IFilter
from buildbot_balancer.policy.globs import matches
from buildbot_balancer.policy.verdict import Verdict
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView


@attrs.define
class _Known:
    opened: bool
    problem: str | None = None
    closed_at: float | None = None  # the last time that the answer was no


@implementer(IFilter)
@attrs.define
class Gate:
    """Lets builds start on the workers of `worker_glob` while `check` says yes.

    `check` is called with the worker's name (or with nothing, if it takes nothing) every `every`
    seconds, outside the loop that starts builds; it may return a Deferred. After a no the gate
    stays closed for at least `cooldown` seconds; a `check` that raises or does not answer counts
    as a no. Until the first answer it is closed.
    """

    looks_at_worker_only: ClassVar[bool] = True

    worker_glob: str
    check_function: Callable[..., Any] = attrs.field(alias='check')
    every: float = 60
    cooldown: float = 0
    _known: dict[str, _Known] = attrs.field(factory=dict, init=False, eq=False, repr=False)

    def problems(self) -> Iterator[str]:
        if not isinstance(self.worker_glob, str) or not self.worker_glob:
            yield f'Gate: the first argument must be a glob of names, not {self.worker_glob!r}'
        if not callable(self.check_function):
            yield f'Gate {self.worker_glob!r}: {self.check_function!r} cannot be called'
        if not _is_number(self.every) or not self.every >= 1:
            yield f'Gate {self.worker_glob!r}: every must be at least 1 second, not {self.every!r}'
        if not _is_number(self.cooldown) or not self.cooldown >= 0:
            yield f'Gate {self.worker_glob!r}: cooldown must not be negative, not {self.cooldown!r}'

    def globs(self) -> Iterator[str]:
        """For the check against the whole config."""
        yield self.worker_glob

    def matches(self, name: str) -> bool:
        return matches(name, self.worker_glob)

    def record(self, name: str, *, opened: bool, now: float, problem: str | None = None) -> bool:
        """Keeps what `check` said of a worker; True where it is something else than before."""
        before = self._known.get(name)
        closed_at = (before.closed_at if before else None) if opened else now
        self._known[name] = _Known(opened, problem, closed_at)
        return before is None or (before.opened, before.problem) != (opened, problem)

    def _is_open(self, known: _Known, now: float) -> bool:
        return known.opened and (known.closed_at is None or now >= known.closed_at + self.cooldown)

    def check(self, request: RequestView, worker: WorkerView, now: float) -> Verdict:
        if not self.matches(worker.name):
            return Verdict.yes()
        known = self._known.get(worker.name)
        who = (worker.name,)
        if known is None:
            return Verdict.unknown('gate-unknown', 'waits for its gate to answer', who, fact='gate')
        if known.problem is not None:
            return Verdict.unknown(
                'gate-error', f'has a gate that {known.problem}', who, fact='gate'
            )
        if self._is_open(known, now):
            return Verdict.yes()
        if known.opened and known.closed_at is not None:
            again_at = known.closed_at + self.cooldown
            return Verdict.not_now('gate', 'has a gate that cools down', who, again_at, 'gate')
        return Verdict.not_now('gate', 'has a closed gate', who, fact='gate')


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
