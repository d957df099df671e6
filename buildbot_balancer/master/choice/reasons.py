# SPDX-License-Identifier: GPL-2.0-or-later
"""Reasons: from verdicts about one request to what has to change before it is looked at again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from buildbot.locks import RealMasterLock
from buildbot.locks import RealWorkerLock

from buildbot_balancer.locks.door import access_of
from buildbot_balancer.locks.realbranch import BranchDoor
from buildbot_balancer.locks.realgroup import WorkerDoor
from buildbot_balancer.master.choice.engine import LOCK
from buildbot_balancer.master.choice.selection import Choice
from buildbot_balancer.master.distribution.lane import Lane
from buildbot_balancer.master.distribution.parking import NOBODY
from buildbot_balancer.master.distribution.parking import Reason
from buildbot_balancer.master.distribution.rows import Obstacle
from buildbot_balancer.master.locks.reservations import Pair
from buildbot_balancer.policy.verdict import Answer
from buildbot_balancer.policy.verdict import Verdict

STOCK = (RealMasterLock, RealWorkerLock)


def reason_for(
    lane: Lane, choice: Choice, asked: Mapping[str, Verdict | None], recheck_at: float
) -> Reason:
    """`asked`: the workers that could have taken it by themselves, and what stood in the way; None:
    the builder's own ``nextWorker`` would not have them.
    """
    verdicts = {name: one for name, one in asked.items() if one is not None}
    unnamed = len(verdicts) < len(asked) or any(map(_is_unnamed, verdicts.values()))
    moments = [one.again_at for one in verdicts.values() if one.again_at is not None]
    if unnamed:
        moments.append(recheck_at)
    hopeless = _hopeless(verdicts) | _behind_the_same(lane, choice, verdicts)
    # only those who say so are told when the lock is given back
    held = any(one.fact == LOCK for one in verdicts.values())
    return Reason(
        workers=NOBODY if held and _is_held_everywhere(choice) else lane.workers - hopeless,
        unnamed=unnamed,
        at=min(moments, default=None),
        only=lane.workers - _never(verdicts),
    )


def needed_everywhere(choice: Choice, asked: Mapping[str, Verdict | None]) -> list[Pair]:
    """Where a lock stands in the way: those of Buildbot's own that any build of the builder needs,
    whatever the request.
    """
    wanted = choice.outlook.wanted if choice.outlook is not None else None
    locked = any(one is not None and one.fact == LOCK for one in asked.values())
    if not locked or wanted is None or wanted.on is not None:
        return []
    return [pair for pair in wanted.everywhere if isinstance(pair[0], STOCK)]


def _never(verdicts: Mapping[str, Verdict]) -> set[str]:
    return {name for name, one in verdicts.items() if one.answer is Answer.NEVER}


def _hopeless(verdicts: Mapping[str, Verdict]) -> set[str]:
    """Workers whose change does not help: never, or when a lock is given back."""
    return {
        name for name, one in verdicts.items() if one.answer is Answer.NEVER or one.fact == LOCK
    }


def _behind_the_same(lane: Lane, choice: Choice, verdicts: Mapping[str, Verdict]) -> set[str]:
    """Workers that nobody asked, where it needs the very lock for which it waits elsewhere."""
    wanted = choice.outlook.wanted if choice.outlook is not None else None
    locked = [name for name, one in verdicts.items() if one.fact == LOCK]
    pairs = [pair for name in locked for pair in choice.missing.get(name, ())]
    if wanted is None or wanted.on is not None or not any(map(_stays, pairs)):
        return set()
    waits_for = {id(Obstacle(*pair, wanted.request).behind) for pair in pairs if _stays(pair)}
    return {
        name
        for name in lane.workers.difference(verdicts)
        if any(
            _stays(pair) and id(Obstacle(*pair, wanted.request).behind) in waits_for
            for pair in wanted.pairs(name)
        )
    }


def _stays(pair: Pair) -> bool:
    """It is a lock of a group in which the worker stays until the config says otherwise."""
    lock, access = pair
    return isinstance(lock, WorkerDoor) and access_of(access).lockid.groupProperty is None


def _is_unnamed(verdict: Verdict) -> bool:
    """Code that names no fact may say something else at any time."""
    return verdict.answer is not Answer.NEVER and not verdict.fact


def _is_held_everywhere(choice: Choice) -> bool:
    """It needs a lock that is the same one on all workers."""
    wanted = choice.outlook.wanted if choice.outlook is not None else None
    if wanted is None or wanted.on is not None:
        return False  # a renderable may give another lock on each
    return any(_is_of_all_workers(lock) for pairs in choice.missing.values() for lock, _ in pairs)


def _is_of_all_workers(lock: Any) -> bool:
    return isinstance(lock, (RealMasterLock, BranchDoor))
