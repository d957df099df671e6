# SPDX-License-Identifier: GPL-2.0-or-later
"""Attempt: to start one request now."""

from __future__ import annotations

from typing import Any
from typing import Callable

import attrs
from twisted.internet import defer

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.text import describe
from buildbot_balancer.locks.requester import ASKING
from buildbot_balancer.master.choice.engine import Engine
from buildbot_balancer.master.choice.engine import Outlook
from buildbot_balancer.master.choice.obstacles import in_the_way
from buildbot_balancer.policy.decision import Decision
from buildbot_balancer.policy.ranking import Ranking
from buildbot_balancer.policy.verdict import Answer
from buildbot_balancer.policy.verdict import Verdict
from buildbot_balancer.policy.views import RequestView


@attrs.define(eq=False)
class Attempt:
    """The ranked workers in turn, until Buildbot says yes to one; its locks are reserved then.

    `next_worker(builder, places, breq)`: the builder's own; None where it has none.
    `can_start(place, breq)`: Buildbot's, or the builder's.
    """

    engine: Engine
    builder: Any
    breq: Any
    outlook: Outlook
    can_start: Callable[[Any, Any], Any]
    next_worker: Callable[[Any, list[Any], Any], Any] | None = None
    note: str = ''
    stuck: bool = False  # it waits for a build that waits for it
    refused: dict[str, Verdict] = attrs.field(factory=dict)

    @property
    def request(self) -> RequestView:
        return self.outlook.request

    @property
    def ranking(self) -> Ranking:
        return self.outlook.ranking

    async def run(self) -> Any:
        # a reluctant worker is tried when no eager one could start it, whatever the hook prefers
        for reluctant in (False, True):
            places = [
                self.outlook.places[one.worker.name]
                for one in self.ranking
                if (one.worker.mood is Mood.RELUCTANT) is reluctant
                and one.worker.name in self.outlook.places
            ]
            place = await self._first_that_can(places)
            if place is not None or self.note:
                return place
        return None

    async def _first_that_can(self, places: list[Any]) -> Any:
        while places and not self.note:
            try:
                place = await self._ask_next_worker(places)
            except Exception as e:
                self.engine.complaints.about(f'nextWorker of builder {self.request.builder}', e)
                self.note = f'its nextWorker raised {describe(e)}'
                return None
            if place is None:
                self.note = f'its nextWorker chose none of {len(places)} workers'
                return None
            places.remove(place)
            if await self._can_start(place):
                return place
        return None

    async def _ask_next_worker(self, places: list[Any]) -> Any:
        if self.next_worker is None:
            return places[0]
        chosen = await self.engine.calls.ask(
            self.next_worker, self.builder, list(places), self.breq
        )
        return chosen if chosen in places else None

    async def _can_start(self, place: Any) -> bool:
        name = place.worker.workername
        # Buildbot asks for locks in nobody's name
        asking = ASKING.set(self.outlook.wanted.request)
        try:
            can = await self.engine.calls.ask(self.can_start, place, self.breq)
        except defer.CancelledError:
            self.note = 'the distributor was stopped while its canStartBuild was asked'
            return False
        except Exception as e:
            self.engine.complaints.about(f'canStartBuild of builder {self.request.builder}', e)
            said = f'makes canStartBuild raise {describe(e)}'
            self.refused[name] = Verdict.unknown('can-start-build', said, (name,))
            return False
        finally:
            ASKING.reset(asking)
        # while that was asked, the worker may have gone, filled up, or its owner said no
        missing = self.outlook.wanted.missing(name)
        if can and self.engine.is_outdated(self.outlook, place):
            said = 'has got another config meanwhile'
            self.refused[name] = Verdict.unknown(
                'can-start-build', said, (name,), again_at=self.outlook.at
            )
            return False
        if can and place.isAvailable():
            missing = self.engine.reserve(self.outlook, self.breq, place)
            if not missing:
                return True
        self.refused[name] = _refusal(name, [lock.lockName for lock, _ in missing])
        return False

    async def look_at_parents(self) -> None:
        """Whether the request waits for a build that waits for it."""
        if self.note:
            return
        able = [n for n, v in self.verdicts().items() if v.answer is not Answer.NEVER]
        deadlock = await self.engine.parents.deadlock(self.builder, self.breq, able)
        if deadlock is not None:
            self.note, self.stuck = deadlock.sentence, True

    def verdicts(self) -> dict[str, Verdict]:
        """Of all workers that could not take it, by name."""
        found = {**self.ranking.verdicts, **self.refused}
        for one in self.ranking:
            name = one.worker.name
            if name not in self.outlook.places and name not in found:
                found[name] = Verdict.not_now(
                    'unavailable', 'is not available to Buildbot', (name,), fact='builds'
                )
        return found

    def decision(self, chosen: str | None) -> Decision:
        scored = {one.worker.name: one for one in self.ranking}
        best = scored.get(chosen) if chosen is not None else None
        verdicts = self.verdicts()
        return Decision.of(
            verdicts,
            request=self.request.id,
            builder=self.request.builder,
            at=self.outlook.at,
            worker=chosen,
            score=best.total if best is not None else None,
            parts=best.parts if best is not None else (),
            beaten=tuple(
                (name, one.total)
                for name, one in scored.items()
                if name != chosen and name not in verdicts
            ),
            locks=() if chosen is not None else in_the_way(self.outlook),
            stuck=self.stuck,
            note=clean(self.note, 300),
        )


def _refusal(worker: str, locks: list[str]) -> Verdict:
    if locks:
        names = ', '.join(locks)
        return Verdict.not_now('lock', f'would wait for {names}', tuple(locks), fact='lock')
    said = 'is refused by canStartBuild or its type'
    return Verdict.not_now('can-start-build', said, (worker,))
