# SPDX-License-Identifier: GPL-2.0-or-later
"""The locks that a whole config names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from typing import Callable
from weakref import ref

import attrs
from buildbot.locks import LockAccess
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock

from buildbot_balancer.locks.outline import Outline
from buildbot_balancer.steps import conflicts


@attrs.frozen(eq=False)
class Use:
    """A place of the config that names a lock."""

    lockid: Any
    access: Any  # None for a bare lock
    where: str  # fit for a sentence
    kind: str  # builder, step or worker
    workernames: tuple[str, ...]  # where it may be taken
    siblings: int  # the same for all of one list


@attrs.frozen
class _Place:
    where: str
    kind: str
    workernames: tuple[str, ...]


def uses_in(outline: Outline) -> Iterator[Use]:
    """What a renderable will give is not known."""
    for builder in outline.builders:
        place = _Place(f'builder {builder.name!r}', 'builder', builder.workernames)
        yield from _uses(builder.locks, place)
        yield from _in_steps(builder.steps, place.where, builder.workernames)
    for worker in outline.workers:
        yield from _uses(worker.locks, _Place(f'worker {worker.name!r}', 'worker', (worker.name,)))


def newest(config: Any, real: Any) -> Any:
    """What a MasterConfig says of this real lock now; None where it does not name it."""
    return _index.of(config).get((type(real), real.lockName))


def named(config: Any) -> dict[tuple[Any, str], Any]:
    """The lock ids that a MasterConfig names, by their ``lockClass`` and name; not to be changed.
    What a renderable will give is not among them.
    """
    return _index.of(config)


class _Index:
    """The locks of the last config: all real locks ask for theirs at a reconfig."""

    def __init__(self) -> None:
        self._config: Callable[[], Any] = lambda: None
        self._locks: dict[tuple[Any, str], Any] = {}

    def of(self, config: Any) -> dict[tuple[Any, str], Any]:
        if self._config() is not config:
            uses = reversed(list(uses_in(Outline.of(config))))  # of two the first counts
            self._locks = {(use.lockid.lockClass, use.lockid.name): use.lockid for use in uses}
            self._config = ref(config)
        return self._locks


_index = _Index()


def _in_steps(steps: Any, builder: str, workernames: tuple[str, ...]) -> Iterator[Use]:
    if not isinstance(steps, (list, tuple)):
        return
    for step in steps:
        given = _given_to(step)
        name = given.get('name')
        where = f'step {name if isinstance(name, str) else "step"!r} of {builder}'
        yield from _uses(given.get('locks'), _Place(where, 'step', workernames))
        yield from _in_steps(given.get('steps'), builder, workernames)  # a step of steps


def _given_to(step: Any) -> dict[str, Any]:
    """`name`, `locks` and `steps`; nothing of a step that cannot be read, for what is odd about it
    is Buildbot's own business to say.
    """
    try:
        factory = step.get_step_factory() if hasattr(step, 'get_step_factory') else step
        if getattr(factory, 'args', ()):  # only the step itself knows which is which
            return _attributes(next(conflicts.templates([factory])))
        kwargs = getattr(factory, 'kwargs', None) or {}
        return {**_attributes(getattr(factory, 'step_class', None)), **kwargs}
    except Exception:
        return {}


def _attributes(source: Any) -> dict[str, Any]:
    """Of a step or, as defaults, of its class."""
    return {name: getattr(source, name, None) for name in ('name', 'locks', 'steps')}


def _uses(locks: Any, place: _Place) -> Iterator[Use]:
    if not isinstance(locks, (list, tuple)):
        return
    for one in locks:
        access = one if isinstance(one, LockAccess) else None
        lockid = one if access is None else access.lockid
        if isinstance(lockid, (MasterLock, WorkerLock)) and isinstance(lockid.name, str):
            yield Use(lockid, access, place.where, place.kind, place.workernames, id(locks))
