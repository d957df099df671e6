# SPDX-License-Identifier: GPL-2.0-or-later
"""Conflicts of locks: a step inside a group takes what the group or the build holds.

Nobody would ever let it go: the step waits for the group, and the group for its step.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import suppress
from itertools import combinations
from typing import Any

import attrs
from buildbot.config.errors import capture_config_errors
from buildbot.interfaces import IBuildStep
from buildbot.interfaces import IBuildStepFactory
from buildbot.locks import LockAccess
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from twisted.internet import defer
from twisted.python.reflect import accumulateClassList

from buildbot_balancer.errors import LockConflictError
from buildbot_balancer.locks.access import GroupAccess

BARE = (MasterLock, WorkerLock)
KNOWN = (LockAccess, GroupAccess)  # of which it is known that each stays with its lock


@attrs.frozen
class Conflict:
    lock: str
    holder: str  # as in a sentence: "the group 'test'"
    step: str

    def __str__(self) -> str:
        return f'step {self.step!r} takes the lock {self.lock!r}, which {self.holder} holds already'


# In a config


def find(locks: Any, steps: Any, holder: str) -> Iterator[Conflict]:
    """Steps, at any depth, that take one of `locks`, as far as a config tells.

    `locks` are those of a builder's config or of a group, `steps` are steps or step factories
    (``builder.factory.steps``), `holder` is whose locks they are, as in a sentence.
    What is known only with a build (renderables, accesses that may mean another real lock) is
    left to `refuse`.
    """
    for step in templates(steps):
        for access in accesses(getattr(step, 'locks', None)):
            if any(_collide(access, held) for held in accesses(locks)):
                yield Conflict(access.lockid.name, holder, str(getattr(step, 'name', step)))
        yield from find(locks, getattr(step, 'steps', None), holder)


def twice(locks: Any) -> Iterator[str]:
    """The names of the locks that stand in `locks` more than once."""
    for one, other in combinations(accesses(locks), 2):
        if _surely_one(one, other):
            yield one.lockid.name


def accesses(locks: Any) -> list[Any]:
    """Those of a ``locks=[...]`` that are known without a build; a bare lock is one, too."""
    if not isinstance(locks, (list, tuple)):
        return []
    known = [one.defaultAccess() if isinstance(one, BARE) else one for one in locks]
    return [access for access in known if isinstance(access, LockAccess)]


def templates(steps: Any) -> Iterator[Any]:
    """An instance of each step in a list of steps or factories, to look at its attributes."""
    if not isinstance(steps, (list, tuple)):
        return
    for step in steps:
        if IBuildStep.providedBy(step):
            yield step
        elif IBuildStepFactory.providedBy(step):
            made = _made_by(step)
            if made is not None:
                yield made


def _made_by(factory: Any) -> Any:
    """None where it makes nothing: what is wrong with a step was said when it was given."""
    with suppress(Exception), capture_config_errors() as errors:
        made = factory.buildStep()
        return None if errors else made
    return None


def _collide(one: Any, other: Any) -> bool:
    """A holder and its step must not take one lock, also not for two groups of workers."""
    if type(one) in KNOWN and type(other) in KNOWN:
        return bool(_lock(one) == _lock(other))
    return _surely_one(one, other)


def _surely_one(one: Any, other: Any) -> bool:
    return bool(_identity(one) == _identity(other))


def _lock(access: Any) -> tuple[Any, ...]:
    """Buildbot finds a real lock by class and name."""
    return access.lockid.lockClass, access.lockid.name


def _identity(access: Any) -> tuple[Any, ...]:
    """Kinds of access may say more than which lock it is, such as a group of workers."""
    names: list[str] = []
    accumulateClassList(type(access), 'compare_attrs', names)
    more = {name: getattr(access, name, None) for name in names}
    for known in LockAccess.compare_attrs:
        more.pop(known, None)
    return *_lock(access), more


# In a build


def guard(member: Any, groups: Iterable[Any]) -> None:
    """Makes the lock check of a member of `groups` know what these hold.

    An instance attribute over Buildbot's ``_setup_locks``: there the real locks are known, the
    rendered ones too, and none of them is waited for yet.
    """
    stock = member._setup_locks  # noqa: SLF001
    member._setup_locks = lambda: set_up(stock, member, groups)  # noqa: SLF001


def set_up(stock: Any, step: Any, groups: Iterable[Any]) -> defer.Deferred[None]:
    """What `stock`, Buildbot's ``_setup_locks``, does, and `refuse`."""
    return defer.maybeDeferred(stock).addBoth(_check, step, groups)


def _check(result: Any, step: Any, groups: Iterable[Any]) -> Any:
    # Buildbot refuses the build's locks itself; its AssertionError later hides the reason
    refuse(step, groups)
    return result


def refuse(step: Any, groups: Iterable[Any]) -> None:
    """Raises LockConflictError if a real lock of `step` is one that its build or `groups` hold."""
    problem = _problem(step, groups)
    if problem is not None:
        step._locks_to_acquire = []  # noqa: SLF001  at the end Buildbot asserts that it has these
        step.descriptionDone = [problem]
        raise LockConflictError(problem)


def _problem(step: Any, groups: Iterable[Any]) -> str | None:
    holders = {'the build': step.build, **{f'the group {g.name!r}': g for g in groups}}
    locks = [lock for lock, _ in step._locks_to_acquire]  # noqa: SLF001
    for lock in locks:
        for title, holder in holders.items():
            if any(lock is held for held, _ in holder._locks_to_acquire):  # noqa: SLF001
                return str(Conflict(_name(lock), title, step.name))
    for one, other in combinations(locks, 2):
        if one is other:
            return f'step {step.name!r} takes the lock {_name(one)!r} twice'
    return None


def _name(lock: Any) -> str:
    return str(getattr(lock, 'lockName', lock))
