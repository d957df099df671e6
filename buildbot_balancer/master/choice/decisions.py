# SPDX-License-Identifier: GPL-2.0-or-later
"""Decisions: the last one of each request, and what the log says of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any
from typing import Callable

from buildbot_balancer.log import say
from buildbot_balancer.policy.decision import Decision

KEPT = 1000
OF_ONE_BUILDER = 100
SAY_AGAIN = 600.0  # seconds after which a reason that has not changed is said once more


class Decisions:
    """A decision to start is a proposal until the build has started: the claim may be lost.

    `told(request)` is called when something else than before is said of a request; it is anybody's
    to set, and must not raise.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.told: Callable[[int], object] = _nobody
        self._now = now
        self._last: OrderedDict[int, Decision] = OrderedDict()
        self._of_builder: dict[str, OrderedDict[int, None]] = {}
        self._proposed: OrderedDict[int, Decision] = OrderedDict()
        self._said: OrderedDict[tuple[Any, ...], float] = OrderedDict()

    def __getitem__(self, request: int) -> Decision:
        return self._last[request]

    def __contains__(self, request: object) -> bool:
        return request in self._last

    def __iter__(self) -> Iterator[int]:
        return iter(self._last)

    def __len__(self) -> int:
        return len(self._last)

    def get(self, request: int) -> Decision | None:
        return self._last.get(request)

    def values(self) -> list[Decision]:
        """The oldest first."""
        return list(self._last.values())

    def is_recent(self, request: int, seconds: float) -> bool:
        last = self._last.get(request)
        return last is not None and self._now() - last.at < seconds

    def propose(self, decision: Decision) -> None:
        _put(self._proposed, decision.request, decision)

    def started(self, request: int) -> None:
        """The build that was proposed for this request runs."""
        decision = self._proposed.pop(request, None)
        if decision is not None:
            self._keep(decision)
            say(decision.sentence)

    def waits(self, decision: Decision) -> None:
        """One line for each reason of a builder's requests, not one for each request."""
        self._keep(decision)
        reasons = () if decision.note else sorted(decision.reasons.items())
        key = (decision.builder, decision.note, hash(tuple(reasons)))
        last = self._said.get(key)
        if last is None or self._now() - last >= SAY_AGAIN:
            _put(self._said, key, self._now())
            say(decision.sentence)

    def _keep(self, decision: Decision) -> None:
        request = decision.request
        before = self._last.get(request)
        if before is not None:
            self._drop(before)
        self._last[request] = decision
        of_builder = self._of_builder.setdefault(decision.builder, OrderedDict())
        of_builder[request] = None
        if len(of_builder) > OF_ONE_BUILDER:
            self._drop(self._last[next(iter(of_builder))])
        if len(self._last) > KEPT:
            self._drop(next(iter(self._last.values())))
        if decision != before:
            self.told(request)

    def _drop(self, decision: Decision) -> None:
        del self._last[decision.request]
        of_builder = self._of_builder[decision.builder]
        del of_builder[decision.request]
        if not of_builder:
            del self._of_builder[decision.builder]


def _put(kept: OrderedDict[Any, Any], key: Any, value: Any) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > KEPT:
        kept.popitem(last=False)


def _nobody(_: int) -> None:
    """Nobody listens yet."""
