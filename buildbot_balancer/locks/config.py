# SPDX-License-Identifier: GPL-2.0-or-later
"""The locks that a whole config names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
from buildbot.interfaces import IRenderable
from buildbot.locks import BaseLockId
from buildbot.locks import LockAccess


@attrs.frozen(eq=False)
class Use:
    """A place of the config that names a lock."""

    lockid: Any
    access: Any  # None for a bare lock
    where: str  # fit for a sentence
    kind: str  # builder, step or worker
    owner: Any  # the BuilderConfig or the worker
    siblings: int  # the same for all of one list


def uses_in(config: Any) -> Iterator[Use]:
    """Of a MasterConfig; what a renderable will give is not known."""
    for builder in config.builders:
        yield from _uses(builder.locks, f'builder {builder.name!r}', 'builder', builder)
        yield from _in_steps(getattr(builder.factory, 'steps', ()), builder)
    for worker in config.workers:
        locks = getattr(worker, 'access', ())
        yield from _uses(locks, f'worker {worker.workername!r}', 'worker', worker)


def newest(config: Any, real: Any) -> Any:
    """What the config says of this real lock now; None where it does not name it."""
    for use in uses_in(config):
        if use.lockid.lockClass is type(real) and use.lockid.name == real.lockName:
            return use.lockid
    return None


def _in_steps(steps: Any, builder: Any) -> Iterator[Use]:
    if not isinstance(steps, (list, tuple)):
        return
    for step in steps:
        factory = step.get_step_factory() if hasattr(step, 'get_step_factory') else step
        given = getattr(factory, 'kwargs', None) or {}
        name = given.get('name') or getattr(getattr(factory, 'step_class', None), 'name', 'step')
        where = f'step {name!r} of builder {builder.name!r}'
        yield from _uses(given.get('locks'), where, 'step', builder)
        yield from _in_steps(given.get('steps'), builder)  # a step of steps


def _uses(locks: Any, where: str, kind: str, owner: Any) -> Iterator[Use]:
    if IRenderable.providedBy(locks) or not isinstance(locks, (list, tuple)):
        return
    for one in locks:
        if isinstance(one, LockAccess):
            yield Use(one.lockid, one, where, kind, owner, id(locks))
        elif isinstance(one, BaseLockId):
            yield Use(one, None, where, kind, owner, id(locks))
