# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks of locks that need the whole config."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import groupby
from typing import Any

from buildbot_balancer.locks.access import GroupAccess
from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.locks.config import Use
from buildbot_balancer.locks.config import uses_in
from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.locks.names import is_glob
from buildbot_balancer.locks.names import largest
from buildbot_balancer.locks.realgroup import Group

OURS = (WorkerGroupLock, BranchLock)


def problems(config: Any) -> Iterator[str]:
    """What no master could mean, a sentence each; `config` is a MasterConfig."""
    uses = list(uses_in(config))
    yield from _two_definitions(uses)
    for _, found in groupby(uses, key=lambda use: (use.where, use.siblings)):
        yield from _twice_in_a_list(list(found))
    for use in uses:
        yield from _on_a_worker(use)
        yield from _never(use)


def warnings(config: Any) -> Iterator[str]:
    """What is merely odd."""
    workers = [worker.workername for worker in config.workers]
    locks = {
        id(use.lockid): use.lockid
        for use in uses_in(config)
        if isinstance(use.lockid, WorkerGroupLock)
    }
    for lockid in locks.values():
        for key in lockid.workerToGroup:
            if not any(
                name == key or (is_glob(key) and fnmatchcase(name, key)) for name in workers
            ):
                yield f'WorkerGroupLock {lockid.name!r}: workerToGroup: {key!r} matches no worker'


def _two_definitions(uses: list[Use]) -> Iterator[str]:
    first: dict[str, Use] = {}
    told: set[str] = set()
    for use in uses:
        name = use.lockid.name
        before = first.setdefault(name, use)
        ours = isinstance(use.lockid, OURS) or isinstance(before.lockid, OURS)
        if ours and name not in told and use.lockid != before.lockid:
            told.add(name)
            yield (
                f'the lock {name!r} is defined in two ways: one is used by {before.where}, the'
                f' other by {use.where}'
            )


def _twice_in_a_list(uses: list[Use]) -> Iterator[str]:
    seen: set[str] = set()
    for use in uses:
        if not isinstance(use.lockid, OURS) or isinstance(use.access, GroupAccess):
            continue  # two accesses may well be to two groups
        if use.lockid.name in seen:
            yield f'the lock {use.lockid.name!r} stands twice in the locks of {use.where}'
        seen.add(use.lockid.name)


def _on_a_worker(use: Use) -> Iterator[str]:
    if use.kind != 'worker':
        return
    if isinstance(use.lockid, BranchLock):
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
    lockid, access = use.lockid, use.access
    known = isinstance(lockid, WorkerGroupLock) and lockid.groupProperty is None
    if use.kind == 'worker' or not known or access is None or isinstance(access, GroupAccess):
        return
    if access.mode != 'counting':
        return
    limits = []
    for name in use.owner.workernames:
        group = lockid.listed_group(name)
        limits.append(lockid.limit_of(Group(name, own=True) if group is None else Group(group)))
    most = largest(limits)
    if most and access.count > most:
        yield (
            f'{use.where} wants {access.count} units of the lock {lockid.name!r}, and no worker of'
            f' the builder ever has more than {most}'
        )
