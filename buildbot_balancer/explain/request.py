# SPDX-License-Identifier: GPL-2.0-or-later
"""Request: in which state one is that nobody has started yet, and why."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping

import attrs

from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.when import clock_text
from buildbot_balancer.explain import sights
from buildbot_balancer.explain.about import REASON
from buildbot_balancer.explain.about import About
from buildbot_balancer.explain.lock import held_by
from buildbot_balancer.explain.sights import BuilderSight
from buildbot_balancer.explain.sights import LockSight
from buildbot_balancer.explain.verdicts import contradicted
from buildbot_balancer.explain.verdicts import cut
from buildbot_balancer.explain.verdicts import summary
from buildbot_balancer.policy.decision import Decision

NAME = 60
LONGEST = 1200


@attrs.frozen(kw_only=True)
class Before:
    """The one that is first in its builder, and how many in all are before it there."""

    request: int
    count: int
    reason: str


@attrs.frozen(kw_only=True)
class Waiting:
    """What is known of a request that waits.

    `decision` None: nobody has looked at it. `abouts`, `locks`: of the workers and locks that the
    decision names. `recheck`: seconds after which a reason may be out of date. `served`: by the
    Balancer's chooser. `elsewhere`: why this master will never look at it.
    """

    builder: str
    now: float
    decision: Decision | None = None
    abouts: Mapping[str, About] = attrs.field(factory=dict)
    locks: tuple[LockSight, ...] = ()
    recheck: float = 30.0
    before: Before | None = None
    paused: BuilderSight | None = None
    served: bool = True
    elsewhere: str = ''

    @property
    def is_old(self) -> bool:
        one = self.decision
        if one is None:
            return False
        if any(not lock.held for lock in self.locks):  # it was
            return True
        return self.now - one.at > self.recheck or contradicted(one, self.abouts, self.now)

    @property
    def state(self) -> str:
        if self.elsewhere:
            return sights.STUCK
        if self.paused is not None:
            return sights.PAUSED
        if self.decision is None:
            return sights.QUEUED
        return sights.STUCK if is_stuck(self.decision) else sights.WAITING

    @property
    def reason(self) -> str:
        return cut('; '.join(self._parts()), LONGEST)

    def _parts(self) -> Iterable[str]:
        if self.elsewhere:
            return [self.elsewhere]
        parts = []
        if self.paused is not None:
            parts.append(_pause(self.paused, self.now))
        if not self.served:
            parts.append(
                f'the balancer does not serve builder {clean(self.builder, NAME)},'
                f' so Buildbot alone starts it'
            )
        if self.decision is not None:
            parts += [self._why(self.decision), *self._behind(), self._moment(self.decision)]
        elif self.paused is None:
            parts += self._behind() or ['nobody has looked at it yet']
        return parts

    def _why(self, decision: Decision) -> str:
        why = clean(decision.note, 300)
        if decision.reasons or decision.able or not why:
            counted = summary(decision, self.abouts, self.now)
            why = f'{why}; {counted}' if why else counted
        held = held_by(one for one in self.locks if one.held)
        why += f'; and {held}' if held else ''
        return f'waiting does not help: {why}' if is_stuck(decision) else why

    def _behind(self) -> list[str]:
        """One that has been looked at waits for what it was told, wherever it stands."""
        if self.before is None or self.decision is not None:
            return []
        count, first = self.before.count, self.before.request
        others = f' and {count - 1} more' if count > 1 else ''
        said = f'is behind request {first}{others} of {clean(self.builder, NAME)}'
        return [f'{said}; request {first}: {self.before.reason}' if self.before.reason else said]

    def _moment(self, decision: Decision) -> str:
        at = clock_text(decision.at, self.now)
        return f'as of {at}, which may be out of date' if self.is_old else f'seen at {at}'


def is_stuck(decision: Decision) -> bool:
    """Waiting does not help."""
    return decision.stuck or decision.never or (not decision.workers and not decision.note)


def _pause(paused: BuilderSight, now: float) -> str:
    by = f' by {clean(paused.by, NAME)}' if paused.by else ''
    parts = [f'"{clean(paused.reason, REASON)}"'] if paused.reason else []
    if paused.until is not None:
        parts.append(f'until {clock_text(paused.until, now)}')
    said = f' ({", ".join(parts)})' if parts else ''
    return f'builder {clean(paused.name, NAME)} is paused{by}{said}'
