# SPDX-License-Identifier: GPL-2.0-or-later
"""The filters that look at one worker and one fact each."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any
from typing import Callable
from typing import ClassVar

import attrs
from zope.interface import implementer

from buildbot_balancer.availability.when import clock_text
from buildbot_balancer.interfaces import IFilter
from buildbot_balancer.policy.verdict import Verdict
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView


@implementer(IFilter)
@attrs.frozen
class Connected:
    """The worker is attached, or can be started (a latent one), and Buildbot lets it build."""

    looks_at_worker_only: ClassVar[bool] = True

    def check(self, request: RequestView, worker: WorkerView, now: float) -> Verdict:
        if not worker.connected and not worker.latent:
            return Verdict.not_now(
                'disconnected', 'is not connected', (worker.name,), fact='builds'
            )
        if worker.paused:
            return Verdict.not_now('paused', 'is paused', (worker.name,), fact='builds')
        if worker.graceful:
            return Verdict.not_now('graceful', 'shuts down', (worker.name,), fact='builds')
        if worker.quarantined:
            return Verdict.not_now('quarantined', 'is in quarantine', (worker.name,), fact='builds')
        if worker.compatible is False:
            return Verdict.not_now(
                'incompatible', 'runs as an instance of another type', (worker.name,), fact='builds'
            )
        return Verdict.yes()


@implementer(IFilter)
@attrs.frozen
class Willing:
    """The owner lets builds start, or there is no word of an owner against it."""

    looks_at_worker_only: ClassVar[bool] = True

    def check(self, request: RequestView, worker: WorkerView, now: float) -> Verdict:
        if worker.held:
            return Verdict.not_now(
                'held',
                'has just attached, its first report is awaited',
                (worker.name,),
                again_at=worker.changes_at,
                fact='mood',
            )
        if worker.mood.starts_builds:
            return Verdict.yes()
        return Verdict.not_now(
            worker.mood.label,
            f'is {worker.mood.label}{_because(worker, now)}',
            (worker.name,),
            again_at=worker.changes_at,
            fact='mood',
        )


def _because(worker: WorkerView, now: float) -> str:
    parts = []
    if worker.reason:
        parts.append(f'"{worker.reason}"')
    if worker.until is not None:
        parts.append(f'until {clock_text(worker.until, now)}')
    return f' ({", ".join(parts)})' if parts else ''


@implementer(IFilter)
@attrs.frozen
class HasCapacity:
    """The worker runs fewer builds than it may, and this builder's place on it is free."""

    looks_at_worker_only: ClassVar[bool] = True

    def check(self, request: RequestView, worker: WorkerView, now: float) -> Verdict:
        if worker.busy:
            return Verdict.not_now(
                'busy', f'runs a build of {request.builder}', (worker.name,), fact='builds'
            )
        if worker.max_builds and worker.running >= worker.max_builds:
            return Verdict.not_now(
                'busy',
                f'runs {worker.running} of at most {worker.max_builds} builds',
                (worker.name,),
                fact='builds',
            )
        return Verdict.yes()


@implementer(IFilter)
@attrs.frozen
class LocksFree:
    """The build could have each of its locks at once on this worker."""

    def check(self, request: RequestView, worker: WorkerView, now: float) -> Verdict:
        if not worker.locks_held:
            return Verdict.yes()
        if worker.locks_never:
            names = ', '.join(worker.locks_never)
            said = f'has never as many units of {names} as a build of {request.builder} wants'
            return Verdict.never('lock-limit', said, worker.locks_never)
        names = ', '.join(worker.locks_held)
        return Verdict.not_now('lock', f'would wait for {names}', worker.locks_held, fact='lock')


@implementer(IFilter)
@attrs.frozen
class ChosenWorker:
    """A request that names its worker (the property ``workername``) gets that one or waits."""

    def check(self, request: RequestView, worker: WorkerView, now: float) -> Verdict:
        chosen = request.properties.get('workername')
        if not isinstance(chosen, str) or not chosen or chosen == worker.name:
            return Verdict.yes()
        return Verdict.never('not-chosen', f'is not {chosen}, which the request names', (chosen,))


@implementer(IFilter)
@attrs.frozen
class MaxLoad:
    """What others than our builds make of load is at most `limit` per CPU.

    `unknown`: ``'wait'`` (the default) keeps builds off a worker whose load is not known,
    ``'run'`` lets them start there.
    """

    looks_at_worker_only: ClassVar[bool] = True

    limit: float
    unknown: str = 'wait'

    def problems(self) -> Iterator[str]:
        number = isinstance(self.limit, (int, float)) and not isinstance(self.limit, bool)
        if not number or not self.limit > 0:
            yield f'MaxLoad: the limit must be a number above 0 (load per CPU), not {self.limit!r}'
        if self.unknown not in ('wait', 'run'):
            yield f"MaxLoad: unknown must be 'wait' or 'run', not {self.unknown!r}"

    def check(self, request: RequestView, worker: WorkerView, now: float) -> Verdict:
        if worker.foreign_load is None:
            if self.unknown == 'run':
                return Verdict.yes()
            return Verdict.unknown(
                'load-unknown', 'has an unknown load', (worker.name,), fact='load'
            )
        if worker.foreign_load <= self.limit:
            return Verdict.yes()
        return Verdict.not_now(
            'load',
            f'has a load of {worker.foreign_load:.2f} per CPU, over {self.limit:g}',
            (worker.name,),
            fact='load',
        )


@implementer(IFilter)
@attrs.frozen(init=False)
class Filter:
    """Wraps a function of (request, worker, now), or of (request, worker), that returns a bool.

    It names no fact, so it is asked again at least every ``recheck`` seconds.
    """

    code: str
    function: Callable[..., Any]
    sentence: str
    arguments: int = attrs.field(eq=False)  # how many of the three the function takes

    def __init__(
        self, code: str, function: Callable[..., Any], sentence: str | None = None
    ) -> None:
        said = sentence or f'is refused by the filter {code}'
        self.__attrs_init__(code, function, said, _arity(function))

    def problems(self) -> Iterator[str]:
        if not isinstance(self.code, str) or not self.code:
            yield f'Filter: the code must be a word, not {self.code!r}'
        if not callable(self.function):
            yield f'Filter {self.code!r}: {self.function!r} cannot be called'

    def check(self, request: RequestView, worker: WorkerView, now: float) -> Verdict:
        answer = self.function(*(request, worker, now)[: self.arguments])
        if isinstance(answer, Verdict):
            return answer
        if answer:
            return Verdict.yes()
        return Verdict.not_now(self.code, self.sentence, (worker.name,))


def _arity(function: Callable[..., Any]) -> int:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a builtin that does not tell
        return 3
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return 3
    # one with a default is the config author's own: "lambda request, worker, n=n: ..."
    places = [
        p
        for p in parameters
        if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD} and p.default is p.empty
    ]
    return min(len(places), 3)
