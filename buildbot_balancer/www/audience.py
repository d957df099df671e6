# SPDX-License-Identifier: GPL-2.0-or-later
"""Audience: who listens to the events of a resource, as far as the mq can tell."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import attrs

from buildbot_balancer.www.endpoint import is_id

PREFIX = 'balancer_'  # of the plurals: they become ('balancer', 'workers', ...) in Buildbot's style
UPDATED = 'updated'
DIGITS = 10  # of the ids in Buildbot's tables; what strangers listen to may have any number


@attrs.frozen
class Audience:
    """`to_all`: somebody listens to every id; `ids`: those that somebody listens to singly."""

    to_all: bool
    ids: frozenset[str] = frozenset()

    @property
    def numbers(self) -> set[int]:
        """Of those ids that can be Buildbot's."""
        numbers = {int(one) for one in self.ids if one.isdecimal() and len(one) <= DIGITS}
        return {one for one in numbers if is_id(one)}

    @property
    def is_empty(self) -> bool:
        return not self.to_all and not self.ids


def keys(plural: str, key: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """For the page, which knows collections by one name, and in the style of Buildbot's events."""
    return (plural, key, UPDATED), ('balancer', plural[len(PREFIX) :], key, UPDATED)


def audience_of(mq: Any, plural: str) -> Audience:
    """An mq that several masters share does not say who listens: then somebody does."""
    subscriptions = getattr(getattr(mq, 'impl', mq), 'qrefs', None)
    if subscriptions is None:
        return Audience(to_all=True)
    wanted = {each for qref in subscriptions for each in _ids(qref.filter, plural)}
    return Audience(None in wanted, frozenset(each for each in wanted if each is not None))


def _ids(pattern: Sequence[str | None], plural: str) -> Iterator[str | None]:
    """The id that a subscription names, None for any; nothing when it is about something else."""
    for key in keys(plural, '*'):
        fits = len(pattern) == len(key) and all(
            part in {None, want} for part, want in zip(pattern, key) if want != '*'
        )
        if fits:
            yield pattern[-2]
