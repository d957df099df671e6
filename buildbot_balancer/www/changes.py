# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes: what of one kind of thing has changed since the last look, and what it is like now."""

from __future__ import annotations

from typing import Any
from typing import Optional
from typing import Union

import attrs

from buildbot_balancer.www.audience import Audience
from buildbot_balancer.www.locks import number_of

WORKERS = 'balancer_workers'
REQUESTS = 'balancer_requests'
LOCKS = 'balancer_locks'
BUILDERS = 'balancer_builders'

MOST = 25  # that are told of singly in one look
KEPT = 1000  # that are remembered between two looks

# An id; of a lock its name and group (None: all its groups).
Key = Union[int, tuple[str, Optional[str]]]


@attrs.define
class Changes:
    """`many`: more than are remembered."""

    plural: str
    keys: set[Any] = attrs.Factory(set)
    many: bool = False

    def add(self, key: Key) -> None:
        if len(self.keys) < KEPT:
            self.keys.add(key)
        else:
            self.many = True

    @property
    def too_many(self) -> bool:
        return len(self.keys) > MOST

    async def found(self, sight: Any, audience: Audience) -> list[tuple[str, Any]]:
        """(id, sight of it) of those whom the audience hears of; None: it is gone."""
        if self.plural == LOCKS:
            return self._locks(sight)
        ids = self.keys
        if self.too_many or not audience.to_all:
            heard = audience.numbers
            ids = heard if self.many else ids & heard
        if self.plural == WORKERS:
            return [(str(each), sight.worker(each)) for each in sorted(ids)]
        if self.plural == REQUESTS:
            return [(str(each), await sight.request(each)) for each in sorted(ids)]
        builders = {one.builderid: one for one in sight.builders()} if ids else {}
        return [(str(each), builders.get(each)) for each in sorted(ids)]

    def _locks(self, sight: Any) -> list[tuple[str, Any]]:
        if self.too_many:
            return [_numbered(one) for one in sight.locks()]
        found: dict[str, Any] = {}
        for name, group in self.keys:
            found.update([_numbered(one) for one in sight.lock(name, group)] or [('', None)])
        return list(found.items())


def _numbered(lock: Any) -> tuple[str, Any]:
    return str(number_of(lock.name, lock.group)), lock
