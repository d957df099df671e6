# SPDX-License-Identifier: GPL-2.0-or-later
"""Arguments: what a config author gave util.Balancer, and what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import attrs

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.schedule import Availability
from buildbot_balancer.master.sight import scrape
from buildbot_balancer.policy.policy import Policy

ORDERS = ('request', 'builder', 'worker')


@attrs.frozen
class Arguments:
    """Unchecked, in the order and with the defaults of util.Balancer."""

    builders: Any = None
    policy: Any = None
    policies: Any = None
    order: Any = None
    rank: Any = None
    availability: Any = None
    stale_after: Any = None
    report_grace: Any = 10
    unreported: Any = 'eager'
    recheck: Any = 30
    ageing: Any = None
    max_running: Any = None
    metrics: Any = scrape.PAGE
    lease: Any = 30

    def problems(self) -> Iterator[str]:
        """A sentence each."""
        yield from self._builder_problems()
        yield from self._number_problems()
        yield from self._order_problems()
        yield from self._availability_problems()
        yield from scrape.problems(self.metrics)
        moods = [mood.label for mood in Mood]
        if self.unreported not in moods:
            yield f'unreported must be one of {", ".join(moods)}, not {self.unreported!r}'

    def _builder_problems(self) -> Iterator[str]:
        if self.builders is not None and not _is_text_list(self.builders):
            yield f'builders must be a list of names or globs, not {self.builders!r}'
        if self.policy is not None:
            yield from _policy_problems('policy', self.policy)
        if self.policies is None:
            return
        if not isinstance(self.policies, Mapping):
            yield f'policies must be a dict of globs to util.Policy, not {self.policies!r}'
            return
        for glob, policy in self.policies.items():
            if not isinstance(glob, str):
                yield f'policies: {glob!r} is no name or glob of builders'
            yield from _policy_problems(f'policies[{glob!r}]', policy)

    def _number_problems(self) -> Iterator[str]:
        if self.stale_after is not None:
            yield from _seconds('stale_after', self.stale_after, least=1)
        yield from _seconds('report_grace', self.report_grace, least=0)
        yield from _seconds('recheck', self.recheck, least=1)
        yield from _seconds('lease', self.lease, least=3)

    def _order_problems(self) -> Iterator[str]:
        named = isinstance(self.order, str) and self.order in ORDERS
        if self.order is not None and not named and not callable(getattr(self.order, 'rank', None)):
            yield (
                f'order must be one of {", ".join(map(repr, ORDERS))}, or have a method'
                f' rank(request, worker, now), not {self.order!r}'
            )
        if self.rank is not None and not callable(self.rank):
            yield f'rank must be a function of a request, not {self.rank!r}'
        if self.ageing is not None:
            yield from _seconds('ageing', self.ageing, least=1)
        if self.max_running is not None:
            yield from _limit_problems(self.max_running)
        given = [n for n in ('order', 'rank', 'ageing', 'max_running') if getattr(self, n)]
        if given and self.builders is not None and _is_text_list(self.builders):
            yield (
                f'{given[0]}= is over all builders, so it would be ignored with'
                f' builders={self.builders!r}'
            )

    def _availability_problems(self) -> Iterator[str]:
        given = [] if self.availability is None else self.availability
        if not isinstance(given, (list, tuple)):
            yield f'availability must be a list of util.Availability, not {given!r}'
            return
        for one in given:
            if isinstance(one, Availability):
                yield from one.problems()
            else:
                yield f'availability: {one!r} is no util.Availability'


def _policy_problems(name: str, policy: Any) -> Iterator[str]:
    if not isinstance(policy, Policy):
        yield f'{name} must be a util.Policy, not {policy!r}'
        return
    for problem in policy.problems():
        yield f'{name}: {problem}'


def _limit_problems(given: Any) -> Iterator[str]:
    if not isinstance(given, Mapping):
        yield f'max_running must be a dict of builders or globs to numbers, not {given!r}'
        return
    for glob, limit in given.items():
        if not isinstance(glob, str):
            yield f'max_running: {glob!r} is no name or glob of builders'
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
            yield f'max_running[{glob!r}] must be a number of builds, 0 or more, not {limit!r}'


def _seconds(name: str, value: Any, least: float) -> Iterator[str]:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < least:
        yield f'{name} must be a number of seconds, at least {least:g}, not {value!r}'


def _is_text_list(value: Any) -> bool:
    if isinstance(value, str):
        return True
    return isinstance(value, Iterable) and all(isinstance(one, str) for one in value)
