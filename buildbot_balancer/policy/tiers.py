# SPDX-License-Identifier: GPL-2.0-or-later
"""Tiers: sets of workers, the first ones preferred."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import attrs
from zope.interface import implementer

from buildbot_balancer.interfaces import IFleetFilter
from buildbot_balancer.policy.globs import matches
from buildbot_balancer.policy.verdict import Verdict
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView

BUSY = 'busy'
DISCONNECTED = 'disconnected'
SHOWN = 5  # workers that are waited for, by name


@implementer(IFleetFilter)
@attrs.frozen(init=False)
class Tiers:
    """Each argument is a list of globs of worker names; who matches none is in a last tier.

    `overflow` says when the next tier may be used: ``'busy'``: as soon as nobody of this one can
    take the request now; ``'disconnected'``: when nobody of this one is there to take it later
    (connected, and its owner lets builds start); a number: that many seconds after the request
    came, for each tier once more.
    """

    tiers: tuple[tuple[str, ...], ...]
    overflow: str | float

    def __init__(self, *tiers: Sequence[str], overflow: str | float = BUSY) -> None:
        self.__attrs_init__(
            tuple((t,) if isinstance(t, str) else _globs(t) for t in tiers), overflow
        )

    def problems(self) -> Iterator[str]:
        if not self.tiers:
            yield 'Tiers: at least one list of globs is needed'
        for glob in self.globs():
            if not isinstance(glob, str):
                yield f'Tiers: {glob!r} is no glob of worker names (overflow= is given by name)'
        if self.overflow in (BUSY, DISCONNECTED):
            return
        number = isinstance(self.overflow, (int, float)) and not isinstance(self.overflow, bool)
        if not number or not float(self.overflow) >= 0:
            yield (
                "Tiers: overflow must be 'busy', 'disconnected' or a number of seconds,"
                f' not {self.overflow!r}'
            )

    def globs(self) -> Iterator[str]:
        """For the check against the whole config."""
        for tier in self.tiers:
            yield from tier

    def tier(self, worker: WorkerView) -> int:
        return _tier(self.tiers, worker.name)

    def check(self, request: RequestView, worker: WorkerView, now: float) -> Verdict:
        if isinstance(self.overflow, str):
            return Verdict.yes()
        opens_at = request.submitted_at + self.tier(worker) * self.overflow
        if now >= opens_at:
            return Verdict.yes()
        return Verdict.not_now(
            'tier', 'is kept for later', (worker.name,), again_at=opens_at, fact='time'
        )

    def check_among(
        self, request: RequestView, workers: Sequence[WorkerView], now: float
    ) -> dict[str, Verdict]:
        if self.overflow != DISCONNECTED:
            return {}
        tiers = {worker.name: self.tier(worker) for worker in workers}
        first = min((tiers[w.name] for w in workers if _is_there(w)), default=None)
        if first is None:
            return {}
        before = sorted(w.name for w in workers if tiers[w.name] == first and _is_there(w))
        names = ', '.join(before[:SHOWN]) + (', ...' if len(before) > SHOWN else '')
        later = Verdict.not_now(
            'tier', f'is used only without {names}', tuple(before[:SHOWN]), fact='peers'
        )
        return {name: later for name, tier in tiers.items() if tier > first}


@lru_cache(maxsize=65536)
def _tier(tiers: tuple[tuple[str, ...], ...], name: str) -> int:
    for index, globs in enumerate(tiers):
        if any(matches(name, glob) for glob in globs):
            return index
    return len(tiers)


def _globs(given: Any) -> tuple[str, ...]:
    # what is no list is kept for problems() to name
    return tuple(given) if isinstance(given, (list, tuple, set, frozenset)) else (given,)


def _is_there(worker: WorkerView) -> bool:
    return (worker.connected or worker.latent) and worker.mood.starts_builds
