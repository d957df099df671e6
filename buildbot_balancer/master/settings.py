# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings: what the arguments of util.Balancer mean."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import attrs

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.schedule import Availability
from buildbot_balancer.availability.standing import Rules
from buildbot_balancer.master.arguments import Arguments
from buildbot_balancer.master.distribution.urgency import Urgency
from buildbot_balancer.master.record.experience import Learner
from buildbot_balancer.master.sight.scrape import PAGE
from buildbot_balancer.policy.affinity import Affinity
from buildbot_balancer.policy.ends import EndsInTime
from buildbot_balancer.policy.fastest import FastestFirst
from buildbot_balancer.policy.gate import Gate
from buildbot_balancer.policy.globs import matches
from buildbot_balancer.policy.policy import Policy


@attrs.frozen(kw_only=True)
class Settings:
    """`builders` None: all. Globs match as fnmatch does, with the case."""

    builders: tuple[str, ...] | None = None
    policy: Policy = attrs.field(factory=Policy)
    policies: tuple[tuple[str, Policy], ...] = ()  # (glob, policy)
    rules: Rules = attrs.field(factory=Rules)
    recheck: float = 30.0
    order: Any = None  # one of ORDERS, or an IOrder; None: as the config says
    urgency: Urgency = attrs.field(factory=Urgency)
    max_running: Mapping[str, int] = attrs.field(factory=dict)
    availability: tuple[Availability, ...] = ()
    metrics: str | None = PAGE  # or a port
    lease: float = 30.0  # on shared locks, in seconds

    @classmethod
    def of(cls, arguments: Arguments) -> Settings:
        """From arguments that have no problems."""
        builders, stale_after = arguments.builders, arguments.stale_after
        if isinstance(builders, str):
            builders = [builders]
        availability = tuple(arguments.availability or ())
        added = [EndsInTime()] if any(one.clear_by for one in availability) else []
        return cls(
            builders=None if builders is None else tuple(builders),
            policy=_with(Policy() if arguments.policy is None else arguments.policy, added),
            policies=tuple((g, _with(p, added)) for g, p in (arguments.policies or {}).items()),
            rules=Rules(
                stale_after=None if stale_after is None else float(stale_after),
                report_grace=float(arguments.report_grace),
                unreported=Mood.parse(str(arguments.unreported)),
            ),
            recheck=float(arguments.recheck),
            order=arguments.order,
            urgency=Urgency(
                ageing=None if arguments.ageing is None else float(arguments.ageing),
                rank=arguments.rank,
            ),
            max_running=dict(arguments.max_running or {}),
            availability=availability,
            metrics=arguments.metrics,
            lease=float(arguments.lease),
        )

    def serves(self, builder: str) -> bool:
        if self.builders is None:
            return True
        return any(matches(builder, glob) for glob in self.builders)

    def serves_all(self, builders: Iterable[str]) -> bool:
        return self.builders is None or all(self.serves(name) for name in builders)

    def order_for(self, config: Any) -> Any:
        """`config`: a MasterConfig. Who has said how builders are ordered is obeyed."""
        if self.order is not None:
            return self.order
        return 'request' if config.prioritizeBuilders is None else 'builder'

    def policy_for(self, builder: str) -> Policy:
        """An exact name wins, then the first glob in the order of the config."""
        for glob, policy in self.policies:
            if glob == builder:
                return policy
        for glob, policy in self.policies:
            if matches(builder, glob):
                return policy
        return self.policy

    def all_policies(self) -> list[Policy]:
        return [self.policy, *(policy for _, policy in self.policies)]

    def gates(self) -> Iterator[Gate]:
        for policy in self.all_policies():
            for one in policy.filters:
                if isinstance(one, Gate):
                    yield one

    def learners(self) -> Iterator[Learner]:
        """The scorers and filters that learn from past builds."""
        for policy in self.all_policies():
            yield from (one for one in policy.filters if isinstance(one, EndsInTime))
            for scorer, _ in policy.scorers:
                if isinstance(scorer, (Affinity, FastestFirst)):
                    yield scorer


def _with(policy: Policy, filters: list[Any]) -> Policy:
    if not filters:
        return policy
    return Policy([*policy.filters, *filters], policy.scorers, policy.reluctant_after)
