# SPDX-License-Identifier: GPL-2.0-or-later
"""Pending: requests that wait, put together. Pure: the API's objects in, counts out."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

import attrs

from buildbot_balancer.cli.server import Item
from buildbot_balancer.explain import sights

REASONS = 3  # of one builder


class Outcome(enum.IntEnum):
    """The exit code of ``why --exit-code``; a larger one is worse."""

    NOTHING = 0
    WAITS = 5
    STUCK = 6


@attrs.frozen(kw_only=True)
class Group:
    """Requests of one builder that wait for one reason."""

    builder: str
    state: str
    reason: str
    requests: int


@attrs.frozen(kw_only=True)
class Hindrance:
    """`code` is a verdict's; `names` those that it named most often."""

    code: str
    requests: int
    names: tuple[str, ...]


def outcome(items: Iterable[Item]) -> Outcome:
    """The worst of them."""
    return max((_outcome(item.get('state')) for item in items), default=Outcome.NOTHING)


def _outcome(state: object) -> Outcome:
    if state in {sights.RUNNING, sights.COMPLETE}:
        return Outcome.NOTHING
    return Outcome.STUCK if state == sights.STUCK else Outcome.WAITS


def groups(items: Sequence[Item]) -> Iterator[Group]:
    """The builder with most requests first, and of each the commonest reasons."""
    by_builder: dict[str, Counter[tuple[str, str]]] = {}
    for item in items:
        counts = by_builder.setdefault(str(item.get('buildername')), Counter())
        counts[str(item.get('state')), str(item.get('reason'))] += 1
    for builder, counts in sorted(
        by_builder.items(), key=lambda pair: (-sum(pair[1].values()), pair[0])
    ):
        common = counts.most_common(REASONS)
        for (state, reason), number in common:
            yield Group(builder=builder, state=state, reason=reason, requests=number)
        left = sum(counts.values()) - sum(number for _, number in common)
        if left:
            others = len(counts) - len(common)
            said = '1 other reason' if others == 1 else f'{others} other reasons'
            yield Group(builder=builder, state='', reason=said, requests=left)


def hindrances(items: Iterable[Item]) -> list[Hindrance]:
    """What keeps most requests waiting comes first."""
    requests: Counter[str] = Counter()
    named: dict[str, Counter[str]] = {}
    for item in items:
        verdicts = verdicts_of(item)
        requests.update(dict.fromkeys((str(verdict.get('code')) for verdict in verdicts), 1))
        for verdict in verdicts:
            names = named.setdefault(str(verdict.get('code')), Counter())
            names.update(dict.fromkeys((str(name) for name in names_of(verdict)), 1))
    return [
        Hindrance(
            code=code,
            requests=number,
            names=tuple(name for name, _ in named[code].most_common()),
        )
        for code, number in sorted(requests.items(), key=lambda pair: (-pair[1], pair[0]))
    ]


def verdicts_of(item: Item) -> list[Item]:
    found = item.get('verdicts')
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def names_of(verdict: Item) -> list[object]:
    found = verdict.get('names')
    return found if isinstance(found, list) else []
