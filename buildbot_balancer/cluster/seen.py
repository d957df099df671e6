# SPDX-License-Identifier: GPL-2.0-or-later
"""Seen: what the other masters have published, read while somebody looks.

One query says what there is, and one reads what is new of it.
"""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet import defer

from buildbot_balancer.cluster import pictures
from buildbot_balancer.cluster.others import OtherMaster
from buildbot_balancer.cluster.others import Others
from buildbot_balancer.cluster.pictures import Picture
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.log import say
from buildbot_balancer.tables import seen
from buildbot_balancer.tables.seen import Key
from buildbot_balancer.tables.seen import Row

AGAIN = 2.0  # seconds for which a look is kept


@attrs.frozen(eq=False)
class _Known:
    row: Row  # without its content
    picture: Picture


class Seen:
    """`database` is a Database."""

    def __init__(self, master: Any, reactor: Any, database: Any) -> None:
        self._master = master
        self._reactor = reactor
        self._database = database
        self._known: dict[Key, _Known] = {}
        self._read_at = 0.0
        self._looked_at = float('-inf')
        self._looking: list[defer.Deferred[None]] | None = None
        self._problem = ''

    async def look(self) -> None:
        """Who asks while somebody looks gets what that one finds."""
        if self._looking is not None:
            mine: defer.Deferred[None] = defer.Deferred()
            self._looking.append(mine)
            await mine
            return
        if self._reactor.seconds() - self._looked_at < AGAIN:
            return
        self._looking = []
        try:
            await self._read()
        finally:
            waiting, self._looking = self._looking, None
            for one in waiting:
                one.callback(None)

    def others(self) -> Others:
        """By what was read last, which may be old by now."""
        elapsed = self._reactor.seconds() - self._read_at
        masters: dict[int, OtherMaster] = {}
        for (masterid, kind), known in self._known.items():
            row = known.row
            if masterid not in masters:
                masters[masterid] = OtherMaster(
                    name=row.name, active=row.active, age=row.age + elapsed, pictures={}
                )
            masters[masterid].pictures[kind] = known.picture
        return Others(masters.values())

    def forget(self) -> None:
        self._known.clear()
        self._looked_at = float('-inf')

    async def _read(self) -> None:
        self._looked_at = began = self._reactor.seconds()
        stamps = {key: known.row.changed_at for key, known in self._known.items()}
        masters, own = self._master.db.model.masters, self._master.masterid
        try:
            rows = await self._database.ask(seen.load, masters, own, stamps)
        except BalancerError as e:  # what is known grows old, and is said to
            self._complain(str(e))
            return
        self._problem = ''
        self._read_at = began
        known, self._known = self._known, {}
        for row in rows:
            key = row.masterid, row.kind
            if row.kind in pictures.KINDS:
                self._known[key] = _made(row, known.get(key))

    def _complain(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            say(f'what other masters see is not known: {problem}')


def _made(row: Row, known: _Known | None) -> _Known:
    if row.content is not None:
        return _Known(attrs.evolve(row, content=None), pictures.read(row.kind, row.content))
    return _Known(row, Picture() if known is None else known.picture)
