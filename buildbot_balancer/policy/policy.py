# SPDX-License-Identifier: GPL-2.0-or-later
"""Policy: filter, score, rank."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from random import Random
from typing import Any

import attrs

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.text import describe
from buildbot_balancer.interfaces import IFilter
from buildbot_balancer.interfaces import IFleetFilter
from buildbot_balancer.interfaces import IScorer
from buildbot_balancer.policy.capable import Capable
from buildbot_balancer.policy.filters import ChosenWorker
from buildbot_balancer.policy.filters import Connected
from buildbot_balancer.policy.filters import Filter
from buildbot_balancer.policy.filters import HasCapacity
from buildbot_balancer.policy.filters import LocksFree
from buildbot_balancer.policy.filters import Willing
from buildbot_balancer.policy.ranking import Problem
from buildbot_balancer.policy.ranking import Ranking
from buildbot_balancer.policy.ranking import Scored
from buildbot_balancer.policy.scorers import BEST
from buildbot_balancer.policy.scorers import EagerFirst
from buildbot_balancer.policy.scorers import FewestBuilds
from buildbot_balancer.policy.scorers import LeastLoaded
from buildbot_balancer.policy.scorers import RunningBeforeLatent
from buildbot_balancer.policy.verdict import Answer
from buildbot_balancer.policy.verdict import Verdict
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView


def default_filters() -> list[Any]:
    """The filters of the default policy, for a config that adds to them."""
    return [Connected(), Willing(), ChosenWorker(), Capable(), HasCapacity(), LocksFree()]


def default_scorers() -> list[tuple[Any, float]]:
    """The scorers of the default policy with their weights."""
    return [
        (EagerFirst(), 4.0),
        (RunningBeforeLatent(), 2.0),
        (LeastLoaded(), 2.0),
        (FewestBuilds(), 1.0),
    ]


@attrs.frozen(init=False)
class Policy:
    """What a builder asks of a worker, and what it prefers.

    `filters` and `scorers` replace the default ones; `scorers` are (scorer, weight) pairs.
    A reluctant worker takes a request only when it has waited `reluctant_after` seconds and no
    eager worker can take it now.
    """

    filters: tuple[Any, ...]
    scorers: tuple[Any, ...]
    reluctant_after: float

    def __init__(
        self,
        filters: Iterable[Any] | None = None,
        scorers: Iterable[Any] | None = None,
        reluctant_after: float = 0,
    ) -> None:
        self.__attrs_init__(
            _listed(default_filters() if filters is None else filters),
            _listed(default_scorers() if scorers is None else scorers),
            reluctant_after,
        )

    def problems(self) -> Iterator[str]:
        """What is wrong with it, a sentence each, for the check of the config."""
        for one in self.filters:
            yield from _filter_problems(one)
        for pair in self.scorers:
            yield from _scorer_problems(pair)
        after = self.reluctant_after
        if not isinstance(after, (int, float)) or isinstance(after, bool) or not after >= 0:
            yield f'Policy: reluctant_after must be a number of seconds, not {after!r}'

    def rank(
        self, request: RequestView, workers: Sequence[WorkerView], now: float, random: Random
    ) -> Ranking:
        """Who could take `request`, best first, and why the others cannot."""
        problems: list[Problem] = []
        verdicts = {w.name: self._check(request, w, now, problems) for w in workers}
        self._check_among(request, workers, verdicts, now, problems)
        groups = self._groups(workers, verdicts, problems)
        passing = [w for w in workers if verdicts[w.name].passes]
        for worker in passing:
            verdicts[worker.name] = self._delay(request, worker)
        passing = [w for w in passing if verdicts[w.name].passes]
        scored = self._score(request, passing, now, problems)
        random.shuffle(scored)  # equal workers share the builds
        scored.sort(key=lambda s: -s.total)
        grouped: dict[tuple[int, ...], list[Scored]] = {}
        for one in scored:
            grouped.setdefault(groups[one.worker.name], []).append(one)
        return Ranking(
            groups=tuple(tuple(grouped[key]) for key in sorted(grouped)),
            verdicts={name: v for name, v in verdicts.items() if not v.passes},
            problems=tuple(problems),
        )

    def refusals(
        self, request: RequestView, worker: WorkerView, now: float, *, alone: bool = False
    ) -> Iterator[Verdict]:
        """All that it has against this worker, also behind the first filter that refuses; `alone`:
        of the filters only those that look at the worker only, so that `request` is anybody's.
        """
        filters = [one for one in self.filters if not alone or _looks_at_worker_only(one)]
        verdicts = [self._asked(one, request, worker, now, []) for one in filters]
        if not alone:
            verdicts.append(self._delay(request, worker))
        yield from (one for one in verdicts if not one.passes)

    def passes_alone(self, request: RequestView, worker: WorkerView, now: float) -> bool:
        """No filter that looks at the worker only refuses it; `request` may be anybody's."""
        alone = [one for one in self.filters if _looks_at_worker_only(one)]
        return all(self._asked(one, request, worker, now, []).passes for one in alone)

    def score_alone(self, request: RequestView, worker: WorkerView, now: float) -> float:
        """0..100, by the scorers that look at the worker only; no opinion counts as 0."""
        total = weights = 0.0
        for scorer, weight in self.scorers:
            if _looks_at_worker_only(scorer):
                weights += weight
                total += weight * (_opinion(scorer, request, worker, now, []) or 0.0)
        return total / (weights or 1.0)

    @property
    def looks_at_workers_only(self) -> bool:
        """Its preference among workers is the same for all requests."""
        if any(IFleetFilter.providedBy(one) for one in self.filters):
            return False
        return all(_looks_at_worker_only(scorer) for scorer, _ in self.scorers)

    def _check(
        self, request: RequestView, worker: WorkerView, now: float, problems: list[Problem]
    ) -> Verdict:
        for one in self.filters:
            verdict = self._asked(one, request, worker, now, problems)
            if not verdict.passes:
                return verdict
        return Verdict.yes()

    @staticmethod
    def _asked(
        one: Any, request: RequestView, worker: WorkerView, now: float, problems: list[Problem]
    ) -> Verdict:
        try:
            return _as_verdict(one.check(request, worker, now))
        except Exception as e:
            return _broken(one, worker, e, problems)

    def _check_among(
        self,
        request: RequestView,
        workers: Sequence[WorkerView],
        verdicts: dict[str, Verdict],
        now: float,
        problems: list[Problem],
    ) -> None:
        for one in self.filters:
            if not IFleetFilter.providedBy(one):
                continue
            hopeful = [w for w in workers if verdicts[w.name].answer is not Answer.NEVER]
            passing = [w for w in hopeful if verdicts[w.name].passes]
            try:
                found = dict(one.check_among(request, hopeful, now))
            except Exception as e:
                verdicts.update({w.name: _broken(one, w, e, problems) for w in passing})
                continue
            for worker in passing:
                try:
                    verdicts[worker.name] = _as_verdict(found.get(worker.name, Verdict.yes()))
                except Exception as e:
                    verdicts[worker.name] = _broken(one, worker, e, problems)

    def _delay(self, request: RequestView, worker: WorkerView) -> Verdict:
        if worker.mood is not Mood.RELUCTANT or request.waited >= self.reluctant_after:
            return Verdict.yes()
        return Verdict.not_now(
            'reluctant',
            f'is reluctant, and takes requests after {self.reluctant_after:g} s',
            (worker.name,),
            again_at=request.submitted_at + self.reluctant_after,
            fact='time',
        )

    def _groups(
        self,
        workers: Sequence[WorkerView],
        verdicts: dict[str, Verdict],
        problems: list[Problem],
    ) -> dict[str, tuple[int, ...]]:
        """Who is tried before whom: eager before reluctant, then tier by tier."""
        keys = {w.name: [0 if w.mood is Mood.EAGER else 1] for w in workers}
        for one in self.filters:
            if not IFleetFilter.providedBy(one):
                continue
            for worker in workers:
                if not verdicts[worker.name].passes:
                    continue
                try:
                    keys[worker.name].append(operator.index(one.tier(worker)))
                except Exception as e:
                    verdicts[worker.name] = _broken(one, worker, e, problems)
        return {name: tuple(key) for name, key in keys.items()}

    def _score(
        self,
        request: RequestView,
        workers: Sequence[WorkerView],
        now: float,
        problems: list[Problem],
    ) -> list[Scored]:
        parts: dict[str, list[tuple[str, float]]] = {w.name: [] for w in workers}
        total = dict.fromkeys(parts, 0.0)
        weights = 0.0
        for scorer, weight in self.scorers:
            opinions = {w.name: _opinion(scorer, request, w, now, problems) for w in workers}
            given = [o for o in opinions.values() if o is not None]
            if not given:
                continue
            weights += weight
            # Unknown is not eager: who cannot be judged is taken for the worst of the others.
            worst = min(given)
            for name, opinion in opinions.items():
                score = worst if opinion is None else opinion
                parts[name].append((type(scorer).__name__, score))
                total[name] += weight * score
        return [
            # weights are no round numbers: the sum of their shares may be a little over 1
            Scored(w, min(total[w.name] / (weights or 1.0), BEST), tuple(parts[w.name]))
            for w in workers
        ]


def _listed(given: Any) -> tuple[Any, ...]:
    # what is no list is kept for problems() to name
    return tuple(given) if isinstance(given, Iterable) else (given,)


def _looks_at_worker_only(one: Any) -> bool:
    """What a filter or scorer says of itself; its answer is kept for all requests then."""
    return getattr(one, 'looks_at_worker_only', False) is True


def _as_verdict(answer: Any) -> Verdict:
    if not isinstance(answer, Verdict):
        raise TypeError(f'it returned {answer!r:.40}, and must return a Verdict')
    at = answer.again_at
    if at is not None and not (isinstance(at, (int, float)) and math.isfinite(at)):
        raise TypeError(f'its again_at is {at!r:.40}, and must be epoch seconds or None')
    if not isinstance(answer.fact, str):
        raise TypeError(f'its fact is {answer.fact!r:.40}, and must be text')
    return answer


def _opinion(
    scorer: Any, request: RequestView, worker: WorkerView, now: float, problems: list[Problem]
) -> float | None:
    try:
        score = scorer.score(request, worker, now)
        if score is None:
            return None
        if not math.isfinite(score) or not 0 <= score <= 100:
            raise ValueError(f'it returned {score!r:.40}, and must return 0 to 100 or None')  # noqa: TRY301
        return float(score)
    except Exception as e:
        problems.append(Problem(type(scorer).__name__, e))
        return None


def _broken(author: Any, worker: WorkerView, error: Exception, problems: list[Problem]) -> Verdict:
    name = type(author).__name__
    if isinstance(author, Filter):
        name = f'{name} {author.code}'
    problems.append(Problem(name, error))
    said = f'is unknown to {name}, which raised {describe(error, 100)}'
    return Verdict.unknown('policy-error', said, (worker.name,))


def _filter_problems(one: Any) -> Iterator[str]:
    if IScorer.providedBy(one):
        yield f'Policy: {type(one).__name__} belongs into scorers, as (scorer, weight)'
    elif isinstance(one, type):
        yield f'Policy: {one.__name__} in filters must be an object, such as {one.__name__}(...)'
    elif not callable(getattr(one, 'check', None)):
        yield f'Policy: {one!r} in filters has no check(request, worker, now)'
    else:
        yield from getattr(one, 'problems', tuple)()


def _scorer_problems(pair: Any) -> Iterator[str]:
    try:
        scorer, weight = pair
    except (TypeError, ValueError):
        if IFilter.providedBy(pair):
            yield f'Policy: {type(pair).__name__} belongs into filters'
        else:
            yield f'Policy: {pair!r} in scorers is no (scorer, weight) pair'
        return
    if isinstance(scorer, type):
        name = scorer.__name__
        yield f'Policy: {name} in scorers must be an object, such as {name}(...)'
    elif not callable(getattr(scorer, 'score', None)):
        yield f'Policy: {scorer!r} in scorers has no score(request, worker, now)'
    else:
        yield from getattr(scorer, 'problems', tuple)()
    number = isinstance(weight, (int, float)) and not isinstance(weight, bool)
    if not number or not (math.isfinite(weight) and weight > 0):
        name = type(scorer).__name__
        yield f'Policy: the weight of {name} must be a number above 0, not {weight!r}'
