# SPDX-License-Identifier: GPL-2.0-or-later
"""Refusals: what each filter has against a worker, also behind the first one that refuses."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from buildbot_balancer.policy.verdict import Verdict
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView


def refusals(
    filters: Iterable[Any], request: RequestView, worker: WorkerView, now: float
) -> Iterator[Verdict]:
    for one in filters:
        verdict = _asked(one, request, worker, now)
        if isinstance(verdict, Verdict) and not verdict.passes:
            yield verdict


def of_worker_only(filters: Iterable[Any]) -> Iterator[Any]:
    """Those to which any request will do."""
    return (one for one in filters if getattr(one, 'looks_at_worker_only', False) is True)


def _asked(one: Any, request: RequestView, worker: WorkerView, now: float) -> Any:
    try:
        return one.check(request, worker, now)
    except Exception:  # the policy says so, and logs it, when it chooses
        return None
