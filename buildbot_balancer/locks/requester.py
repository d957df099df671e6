# SPDX-License-Identifier: GPL-2.0-or-later
"""Requester: who asks for a lock.

A build, a step of a running build, a request that still waits for a worker, a worker, or nobody
(None: Buildbot asks whether anybody could have it). Anything else counts as something that runs.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from buildbot.process.build import Build
from buildbot.process.buildrequest import BuildRequest
from buildbot.process.buildstep import BuildStep
from twisted.internet import defer

# For whom Buildbot asks when it says None: the request that a worker is being chosen for.
ASKING: ContextVar[BuildRequest | None] = ContextVar('asking', default=None)


def is_pending(requester: Any) -> bool:
    """It holds no worker yet, so that nothing stands still while it waits."""
    return requester is None or isinstance(requester, BuildRequest)


def is_waited_for(requester: Any) -> bool:
    """A pending request that a running build waits for, which may hold the very lock."""
    waited_for = getattr(requester, 'waited_for', getattr(requester, 'waitedFor', False))
    return isinstance(requester, BuildRequest) and bool(waited_for)


def request_number(requester: Any) -> int | None:
    """A pending request has its number since it was made; Buildbot may make its object anew."""
    return getattr(requester, 'id', None) if isinstance(requester, BuildRequest) else None


def submitted_at(requester: Any) -> float | None:
    """Epoch seconds; None for all but pending requests."""
    return getattr(requester, 'submittedAt', None) if isinstance(requester, BuildRequest) else None


def build_of(requester: Any) -> Any:
    """The build that it is, or that it is a step of; None where it is neither."""
    if isinstance(requester, BuildStep):
        return requester.build
    return requester if isinstance(requester, Build) else None


def requests_of(requester: Any) -> list[Any]:
    """The build requests that it works for; none where there are no such ones."""
    if isinstance(requester, BuildRequest):
        return [requester]
    return list(getattr(build_of(requester), 'requests', None) or ())


def priority_of(requester: Any) -> int | None:
    """The highest one of its requests; None where it has no request."""
    priorities = [getattr(one, 'priority', 0) or 0 for one in requests_of(requester)]
    return max(priorities, default=None)


def sources_of(requester: Any) -> list[Any] | None:
    """Its sourcestamps, the same from the request to the last step; None where it has none."""
    if isinstance(requester, BuildRequest):
        # as Build does it, which finds them here too
        return list(requester.sources.values())
    sources = getattr(build_of(requester), 'sources', None)
    return None if sources is None else list(sources)


def went_elsewhere(requester: Any, woken: defer.Deferred[Any]) -> bool:
    """It was woken by `woken` and did not claim: it waits for another of its locks now, or it was
    stopped.

    Buildbot's builds and steps do not say so to the lock that woke them.
    """
    if getattr(requester, 'stopped', False) is True:
        return True
    latest = getattr(requester, '_acquiringLock', None)  # of a build
    if not latest:
        latest = (getattr(requester, '_acquiringLocks', None) or [None])[-1]  # of a step
    if not isinstance(latest, tuple):
        return False
    deferred = latest[2]
    return deferred is not woken and not deferred.called
