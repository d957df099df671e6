# SPDX-License-Identifier: GPL-2.0-or-later
"""Words: what users of the master said about workers and builders, kept over a restart.

It holds whether or not it can be kept; where it cannot, the log says so.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from twisted.internet import defer

from buildbot_balancer.availability.cap import ADMIN
from buildbot_balancer.availability.cap import Cap
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.errors import WordError
from buildbot_balancer.log import say
from buildbot_balancer.master.database import Database
from buildbot_balancer.master.pauses import Pause
from buildbot_balancer.tables import kept
from buildbot_balancer.tables.schema import PAUSE
from buildbot_balancer.tables.schema import WORD


class Words:
    """Asked after History.start, which makes the tables."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writing = defer.DeferredLock()  # a pool of threads keeps no order

    async def load_workers(self) -> dict[str, Cap]:
        rows = await self._load(WORD)
        caps = {row['worker']: _cap(row) for row in rows}
        return {name: cap for name, cap in caps.items() if cap is not None}

    async def load_builders(self) -> dict[str, Pause]:
        return {row['builder']: _pause(row) for row in await self._load(PAUSE)}

    async def save_worker(self, name: str, cap: Cap, at: float) -> None:
        row = {
            'worker': name,
            'mood': cap.mood.label,
            'reason': cap.reason,
            'until_at': cap.until,
            'actor': cap.by,
            'said_at': at,
        }
        await self._change(name, kept.save, WORD, row)

    async def forget_worker(self, name: str) -> None:
        await self._change(name, kept.delete, WORD, name)

    async def save_builder(self, name: str, pause: Pause) -> None:
        row = {
            'builder': name,
            'reason': pause.reason,
            'until_at': pause.until,
            'actor': pause.by,
            'said_at': pause.at,
        }
        await self._change(name, kept.save, PAUSE, row)

    async def forget_builder(self, name: str) -> None:
        await self._change(name, kept.delete, PAUSE, name)

    async def _load(self, table: sa.Table) -> list[dict[str, Any]]:
        if self._database.problem:  # which was said when the tables were looked for
            return []
        try:
            rows: list[dict[str, Any]] = await self._database.ask(kept.load, table)
        except BalancerError as e:
            say(f'what admins said before the start is not known, and does not hold: {e}')
            return []
        return rows

    async def _change(self, name: str, work: Any, *args: Any) -> None:
        try:
            await self._writing.run(lambda: defer.ensureDeferred(self._database.ask(work, *args)))
        except BalancerError as e:
            say(f'what was said about {name} counts until this master stops, no longer: {e}')


def _cap(row: dict[str, Any]) -> Cap | None:
    try:
        mood = Mood.parse(row['mood'])
    except WordError as e:
        say(f'what an admin said about worker {row["worker"]} is ignored: {e}')
        return None
    until, by = row['until_at'], row['actor']
    return Cap(mood=mood, source=ADMIN, reason=row['reason'], until=until, by=by)


def _pause(row: dict[str, Any]) -> Pause:
    return Pause(at=row['said_at'], reason=row['reason'], until=row['until_at'], by=row['actor'])
