# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may control workers and builders: a matcher for Buildbot's rules, and a look at the rules."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from buildbot.data.exceptions import InvalidPathError
from buildbot.www.authz.endpointmatchers import EndpointMatcherBase
from buildbot.www.authz.endpointmatchers import Match
from twisted.internet import defer

from buildbot_balancer.www.builders import BalancerBuilderEndpoint
from buildbot_balancer.www.control import ControlEndpoint
from buildbot_balancer.www.workers import BalancerWorkerEndpoint

_READING = frozenset({'get', 'head', 'options'})

UNGUARDED = (
    'everybody who can reach the web server may set, drain and resume workers and pause builders:'
    ' no rule of c["www"]["authz"] speaks of it'
)


class BalancerControlEndpointMatcher(EndpointMatcherBase):  # type: ignore[misc]  # no types
    """What is asked of a worker or a builder over HTTP, and nothing else of Buildbot's.

    `worker`, `builder`: a pattern for names, as the rules' ``stringsMatcher`` takes it (globs by
    default); with one of them only such workers or builders are meant.
    """

    def __init__(
        self, role: str, worker: str | None = None, builder: str | None = None, **more: Any
    ) -> None:
        super().__init__(role, **more)
        self.worker = worker
        self.builder = builder

    def match(
        self, ep: Any, action: str = 'get', options: Mapping[str, Any] | None = None
    ) -> defer.Deferred[Match | None]:
        return defer.succeed(Match(self.master) if self._matches(ep, action) else None)

    def _matches(self, ep: Any, action: str) -> bool:
        if str(action).lower() in _READING:
            return False
        try:
            endpoint, kwargs = self.master.data.getEndpoint(ep)
            if not isinstance(endpoint, ControlEndpoint):
                return False
            if self.worker is None and self.builder is None:
                return True
            if isinstance(endpoint, BalancerWorkerEndpoint):
                return self._fits(self.worker, endpoint.worker(kwargs).name)
            if isinstance(endpoint, BalancerBuilderEndpoint):
                return self._fits(self.builder, endpoint.builder(kwargs).name)
        except InvalidPathError:  # nothing can be done to what there is not
            pass
        return False

    def _fits(self, pattern: str | None, name: str) -> bool:
        return pattern is not None and bool(self.authz.match(name, pattern))


def unguarded(www: Mapping[str, Any]) -> str:
    """One sentence where `www`, as in the config, lets everybody control; else ''."""
    if not www.get('port'):
        return ''
    rules = getattr(www.get('authz'), 'allowRules', ())
    return '' if any(_speaks_of_us(rule) for rule in rules) else UNGUARDED


def _speaks_of_us(rule: Any) -> bool:
    """It looks at every path, or at our endpoints by the names of their classes."""
    if getattr(type(rule), 'match', None) is not EndpointMatcherBase.match:
        return True
    ours = (*inspect.getmro(BalancerWorkerEndpoint), *inspect.getmro(BalancerBuilderEndpoint))
    prefixes = {f'match_{each.__name__}' for each in ours}
    actions = {*BalancerWorkerEndpoint.actions, *BalancerBuilderEndpoint.actions}
    names = prefixes | {f'{prefix}_{action}' for prefix in prefixes for action in actions}
    return any(hasattr(rule, name) for name in names)
