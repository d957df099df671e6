# SPDX-License-Identifier: GPL-2.0-or-later
"""Database: our tables in the master's own database, asked in its threads."""

from __future__ import annotations

from typing import Any
from typing import Callable

from buildbot_balancer.availability.text import describe
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.log import say
from buildbot_balancer.tables.attempt import Outcome
from buildbot_balancer.tables.attempt import attempt
from buildbot_balancer.tables.upgrade import upgrade


class Database:
    """`problem`: why there are no tables to be asked, in one sentence; '' where they are."""

    def __init__(self, master: Any) -> None:
        self._master = master
        self.problem = 'the tables balancer_* have not been looked for yet'
        self.refused = False  # they were looked for, and cannot be used

    async def prepare(self) -> None:
        """Makes or upgrades the tables; where that is refused, the log says so once."""
        before = self.problem
        try:
            self.problem = str(await self._master.db.pool.do_with_engine(upgrade))
        except Exception as e:  # a defect of ours, which the pool has logged
            self.problem = f'the tables balancer_* cannot be made or read: {describe(e)}'
        if self.problem and self.problem != before:
            say(f'no history is kept, and no word of an admin over a restart: {self.problem}')
        elif self.refused and not self.problem:
            say('the history is kept from now on')
        self.refused = bool(self.problem)

    async def ask(self, work: Callable[..., Any], *args: Any) -> Any:
        """What ``work(connection, *args)`` returns; raises BalancerError where it cannot be had."""
        if self.problem:
            raise BalancerError(self.problem)
        outcome: Outcome = await self._master.db.pool.do_with_engine(attempt, work, *args)
        if outcome.problem:
            raise BalancerError(f'the database says: {outcome.problem}')
        return outcome.value
