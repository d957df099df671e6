# SPDX-License-Identifier: GPL-2.0-or-later
"""Audience: who listens to the events of a resource, as far as the mq can tell."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import attrs

PREFIX = 'balancer_'  # of the plurals: they become ('balancer', 'workers', ...) in Buildbot's style
UPDATED = 'updated'


@attrs.frozen
class Audience:
    """`to_all`: somebody listens to every id; `ids`: those that somebody listens to singly."""

    to_all: bool
    ids: frozenset[str] = frozenset()

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
