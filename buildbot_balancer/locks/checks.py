# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks of locks that need the whole config."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import groupby
from typing import Any

from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock

from buildbot_balancer.locks.access import GroupAccess
from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.locks.config import Use
from buildbot_balancer.locks.config import uses_in
from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.locks.names import is_glob
from buildbot_balancer.locks.names import largest
from buildbot_balancer.locks.outline import Outline
from buildbot_balancer.locks.realgroup import Group
from buildbot_balancer.locks.shared import SharedMasterLock
from buildbot_balancer.steps import conflicts

OURS = (WorkerGroupLock, BranchLock, SharedMasterLock)
STOCK = (MasterLock, WorkerLock)  # these very classes: others may mean something else


def problems(config: Any) -> Iterator[str]:
    """What no master could mean, a sentence each; `config` is whatever Outline.of takes."""
    outline = Outline.of(config)
    uses = list(uses_in(outline))
    yield from _two_definitions(uses)
    for use in uses:
        yield from _on_a_worker(use)
        yield from _never(use)
    yield from _taken_twice(outline)


def warnings(config: Any) -> Iterator[str]:
    """What is merely odd, a sentence each."""
    outline = Outline.of(config)
    uses = list(uses_in(outline))
    for _, found in groupby(uses, key=lambda use: (use.where, use.siblings)):
        yield from _twice_in_a_list(list(found))
    workers = [worker.name for worker in outline.workers]
    if not workers:
        return  # Buildbot says so, or they live on another master
    named = {use.lockid.name for use in uses if isinstance(use.access, GroupAccess)}
    for lockid in _group_locks(uses):
        yield from _idle_keys(lockid, workers)
        if lockid.groupProperty is None and lockid.name not in named:
            yield from _idle_groups(lockid, workers)


# problems


def _two_definitions(uses: list[Use]) -> Iterator[str]:
    seen: dict[str, list[Use]] = {}
    told: set[str] = set()
    for use in uses:
        name = use.lockid.name
        others = seen.setdefault(name, [])
        if any(use.lockid is other.lockid for other in others):
            continue
        clash = next((other for other in others if _contradict(use.lockid, other.lockid)), None)
        others.append(use)
        if clash is not None and name not in told:
            told.add(name)
            yield (
                f'the lock {name!r} is defined in two ways: one is used by {clash.where}, the'
                f' other by {use.where}'
            )


def _contradict(one: Any, other: Any) -> bool:
    """Buildbot keeps a MasterLock and a WorkerLock of one name apart."""
    if not isinstance(one, OURS) and not isinstance(other, OURS):
        return type(one) in STOCK and type(one) is type(other) and bool(one != other)
    return bool(one != other)


def _on_a_worker(use: Use) -> Iterator[str]:
    if use.kind != 'worker':
        return
    if getattr(use.lockid, 'shared', False):
        yield (
            f'{use.where}: the lock {use.lockid.name!r} is shared with other masters, so it can'
            f' stand in the locks of builders and steps only'
        )
    elif isinstance(use.lockid, BranchLock):
        yield (
            f'{use.where}: a worker has no branch, so BranchLock {use.lockid.name!r} can stand in'
            f' the locks of builders and steps only'
        )
    elif isinstance(use.access, GroupAccess):
        yield (
            f'{use.where}: group= of WorkerGroupLock {use.lockid.name!r} needs the properties of a'
            f' build, so it can stand in the locks of builders and steps only'
        )


def _never(use: Use) -> Iterator[str]:
    if use.access is None or use.access.mode != 'counting':
        return
    limits = [_limit(use, name) for name in use.workernames]
    if not all(isinstance(limit, int) for limit in limits):
        return
    most = largest(limits)
    if most and use.access.count > most:  # a limit of 0 closes a lock on purpose
        has = 'never has' if use.kind == 'worker' else 'no worker of the builder ever has'
        yield (
            f'{use.where} wants {use.access.count} units of the lock {use.lockid.name!r}, and'
            f' {has} more than {most}'
        )


def _limit(use: Use, workername: str) -> Any:
    """The units that there are for `use` on the worker; None where that is not known."""
    lockid = use.lockid
    if isinstance(lockid, WorkerGroupLock):
        if isinstance(use.access, GroupAccess):
            return None
        group = lockid.listed_group(workername)
        if group is None and lockid.groupProperty is not None:
            return None
        return lockid.limit_of(Group(workername, own=True) if group is None else Group(group))
    if type(lockid) is WorkerLock:
        return lockid.maxCountForWorker.get(workername, lockid.maxCount)
    return lockid.maxCount if type(lockid) in {MasterLock, SharedMasterLock} else None


def _taken_twice(outline: Outline) -> Iterator[str]:
    """By a builder and by a step of it, at any depth: the step would wait for ever."""
    for builder in outline.builders:
        if conflicts.accesses(builder.locks):
            holder = f'the builder {builder.name!r}'
            for conflict in conflicts.find(builder.locks, builder.steps, holder):
                yield str(conflict)


# warnings


def _twice_in_a_list(uses: list[Use]) -> Iterator[str]:
    """It is held once, so this does no harm."""
    seen: set[str] = set()
    for use in uses:
        if not isinstance(use.lockid, OURS) or isinstance(use.access, GroupAccess):
            continue  # two accesses may well be to two groups
        if use.lockid.name in seen:
            yield f'the lock {use.lockid.name!r} stands twice in the locks of {use.where}'
        seen.add(use.lockid.name)


def _group_locks(uses: list[Use]) -> list[WorkerGroupLock]:
    """Each name once."""
    return list(
        {
            use.lockid.name: use.lockid for use in uses if isinstance(use.lockid, WorkerGroupLock)
        }.values()
    )


def _idle_keys(lockid: WorkerGroupLock, workers: list[str]) -> Iterator[str]:
    for key in lockid.workerToGroup:
        if not any(name == key or (is_glob(key) and fnmatchcase(name, key)) for name in workers):
            yield f'WorkerGroupLock {lockid.name!r}: workerToGroup: {key!r} matches no worker'


def _idle_groups(lockid: WorkerGroupLock, workers: list[str]) -> Iterator[str]:
    """A group that workerToGroup names, too, was told of by its key."""
    known = {*workers, *lockid.workerToGroup.values()}
    for group in lockid.maxCountForGroup:
        if group not in known:
            yield f'WorkerGroupLock {lockid.name!r}: maxCountForGroup: no worker is in {group!r}'
