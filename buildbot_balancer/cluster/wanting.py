# SPDX-License-Identifier: GPL-2.0-or-later
"""Wanting: what a pending request wants of the locks that all masters share."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from typing import Callable

from buildbot_balancer.cluster.bid import Parts
from buildbot_balancer.cluster.sharedsemaphore import shared_parts
from buildbot_balancer.cluster.sharing import Sharing

Pair = tuple[Any, Any]  # a real lock, as one worker has it, and an access


def want(request: Any, alternatives: Iterable[list[Pair]], refused: Callable[[], None]) -> None:
    """Any of these sets of locks, each of which one worker needs; `refused` is called once where
    the database is asked for one that it does not give.
    """
    found: list[Parts] = []
    for parts in _parts(request, alternatives):
        if parts not in found:
            found.append(parts)
    sharing = _sharing(found)
    if sharing is not None:
        sharing.want(request, found, refused)


def are_asked(request: Any, alternatives: Iterable[list[Pair]]) -> bool:
    """The database will soon have answered."""
    sharing = _sharing(list(_parts(request, alternatives)))
    return sharing is not None and sharing.is_asked(request)


def _parts(request: Any, alternatives: Iterable[list[Pair]]) -> Iterator[Parts]:
    for pairs in alternatives:
        parts = shared_parts(request, pairs)
        if parts and not any(one.never(access) for one, access in parts.items()):
            yield parts


def _sharing(alternatives: list[Parts]) -> Sharing | None:
    for parts in alternatives:
        for semaphore in parts:
            return semaphore.sharing()
    return None
