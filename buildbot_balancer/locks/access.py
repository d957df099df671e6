# SPDX-License-Identifier: GPL-2.0-or-later
"""GroupAccess: an access that names the group when it is used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from typing import ClassVar

from buildbot.interfaces import IRenderable
from buildbot.locks import LockAccess
from twisted.internet import defer
from zope.interface import implementer

from buildbot_balancer.availability.text import describe


class NamedAccess(LockAccess):  # type: ignore[misc]  # Buildbot has no types
    """To the group `group`; None: to the one of the worker. `problem`: why it is not known."""

    compare_attrs: ClassVar[Sequence[str]] = ('group', 'problem')

    def __init__(
        self, lockid: Any, mode: str, count: int, group: str | None, problem: str = ''
    ) -> None:
        super().__init__(lockid, mode, count)
        self.group = group
        self.problem = problem


@implementer(IRenderable)
class GroupAccess(LockAccess):  # type: ignore[misc]
    """What ``lock.access('counting', group=util.Property('rack'))`` returns.

    Buildbot renders it when a build or a step takes the lock. When a worker is chosen it does so
    only if the whole list of locks is one renderable; see buildbot_balancer.locks.asking.
    """

    # renderables have no equality of their own: they build new renderables from ``==``
    compare_attrs: ClassVar[Sequence[str]] = ('group_text',)

    def __init__(self, lockid: Any, mode: str, count: int, group: Any) -> None:
        super().__init__(lockid, mode, count)
        self.group = group
        self.group_text = repr(group)

    def getRenderingFor(self, props: Any) -> defer.Deferred[NamedAccess]:
        return defer.ensureDeferred(self._rendered(props))

    async def _rendered(self, props: Any) -> NamedAccess:
        # What is raised here would leave the worker of a starting build taken for ever, and a
        # builder that looks for a worker would stall.
        try:
            group = await props.render(self.group)
        except Exception as e:
            return self._named(None, f'group={self.group_text} raised {describe(e)}')
        if isinstance(group, int) and not isinstance(group, bool):
            group = str(group)
        if group is not None and not isinstance(group, str):
            return self._named(None, f'group={self.group_text} gave {describe_value(group)}')
        return self._named(group or None)

    def _named(self, group: str | None, problem: str = '') -> NamedAccess:
        return NamedAccess(self.lockid, self.mode, self.count, group, problem)


def describe_value(value: Any) -> str:
    """As a part of a sentence."""
    try:
        return f'{value!r}, which is no name of a group'[:150]
    except Exception:
        return 'something that is no name of a group'
