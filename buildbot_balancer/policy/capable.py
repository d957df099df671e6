# SPDX-License-Identifier: GPL-2.0-or-later
"""Capable: the worker has what the builder and the request require."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import attrs
from zope.interface import implementer

from buildbot_balancer.interfaces import IFilter
from buildbot_balancer.policy.verdict import Verdict
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView

PROPERTY = 'requires'  # of a builder or of a request


@implementer(IFilter)
@attrs.frozen
class Capable:
    """Matches the property ``requires`` of builder and request, and `requires` given here.

    Text must be equal, of a list any entry is enough, a number means at least. What the master's
    config says of a worker (its properties) counts before what the worker reports of itself.
    What is not known counts as missing.
    """

    requires: Mapping[str, Any] = attrs.field(factory=dict)

    def problems(self) -> Iterator[str]:
        if not isinstance(self.requires, Mapping):
            yield f'Capable: requires must be a dict, not {self.requires!r}'

    def check(self, request: RequestView, worker: WorkerView, now: float) -> Verdict:
        for wanted in (self.requires, *request.requires):
            if not isinstance(wanted, Mapping):
                return Verdict.never('incapable', f'{PROPERTY} is no dict: {str(wanted)[:60]!r}')
            for name, value in wanted.items():
                verdict = _check_one(worker, name, value)
                if verdict is not None:
                    return verdict
        return Verdict.yes()


def _check_one(worker: WorkerView, name: str, wanted: Any) -> Verdict | None:
    known, has = _find(worker, name)
    if not known:
        return Verdict.unknown(
            'capability-unknown',
            f'does not say what its {name} is ({_show(wanted)} is required)',
            (worker.name,),
            fact='facts',
        )
    if _matches(has, wanted):
        return None
    return Verdict.never(
        'incapable', f'has {name} {str(has)[:40]!r}, {_show(wanted)} is required', (worker.name,)
    )


def _find(worker: WorkerView, name: str) -> tuple[bool, Any]:
    for place in (worker.properties, worker.facts):
        if place.get(name) is not None:
            return True, place[name]
    if name == 'cpus' and worker.cpus is not None:
        return True, worker.cpus
    return False, None


def _matches(has: Any, wanted: Any) -> bool:
    if isinstance(wanted, (list, tuple, set, frozenset)):
        return any(_matches(has, one) for one in wanted)
    if isinstance(has, (list, tuple, set, frozenset)):
        return any(_matches(one, wanted) for one in has)
    if isinstance(wanted, bool) or isinstance(has, bool):
        return has is wanted
    if isinstance(wanted, (int, float)):
        amount = _number(has)
        return amount is not None and amount >= wanted
    return bool(has == wanted)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _show(wanted: Any) -> str:
    if isinstance(wanted, (list, tuple, set, frozenset)):
        return 'one of ' + ', '.join(str(one)[:40] for one in wanted)
    if isinstance(wanted, (int, float)) and not isinstance(wanted, bool):
        return f'at least {wanted}'
    return str(wanted)[:40]
