# SPDX-License-Identifier: GPL-2.0-or-later
"""Story: sixty builds over three masters, of which one is killed and comes back."""

from __future__ import annotations

from typing import Callable

import sqlalchemy as sa

from demo.api import ApiError
from demo.cluster import view
from demo.cluster.board import Board
from demo.cluster.master import Master
from demo.cluster.site import Site
from demo.cluster.verdict import Outcome
from demo.cluster.view import View
from demo.errors import DemoError
from demo.stop import Stop

TOTAL = 60
BRANCHES = ('main', 'stable', 'next')
LONG = 180.0  # seconds; it is over much sooner on a machine that is not overloaded


class Story:
    def __init__(self, site: Site, board: Board, stop: Stop) -> None:
        self._site = site
        self._board = board
        self._stop = stop
        self._engine = sa.create_engine(site.database.url(application='demo'))
        self._dead: tuple[str, ...] = ()
        self._view = View()
        self._requests: list[int] = []

    def tell(self) -> Outcome:
        """Raises DemoError or StoppedError where it cannot be told to its end."""
        try:
            return self._tell()
        finally:
            self._engine.dispose()

    def _tell(self) -> Outcome:
        self._until(self._connected, 'The workers did not connect.')
        first = self._living
        for one in self._site.masters.values():
            self._board.say(f'{one.name}: {one.api.url}#/balancer')
        self._submit(first)
        victim = self._kill_a_holder(spare=first)
        self._until(
            lambda: victim.name not in self._view.masters,
            f'What {victim.name} held was not given back.',
        )
        self._board.say(f'The lease of {victim.name} is over: others have its units.')
        self._until(lambda: self._view.ended >= 2 * TOTAL // 3, 'The others did not go on.')
        victim.begin()
        self._board.say(f'{victim.name} comes back.')
        self._until(self._all_complete, 'Not all requests came to an end.')
        self._until(lambda: not self._view.holders, 'Something is still held.', fatal=False)
        return self._outcome(victim.name)

    def _submit(self, master: Master) -> None:
        for number in range(TOTAL):
            branch = BRANCHES[number % len(BRANCHES)]
            self._requests.append(master.api.submit(f'b{number % 2 + 1}', branch))
            self._look()
        self._board.say(f'{TOTAL} requests were submitted through {master.name}.')

    def _kill_a_holder(self, spare: Master) -> Master:
        self._until(lambda: self._view.ended >= TOTAL // 3, 'The builds do not go on.')
        others = [one for one in self._site.masters.values() if one is not spare]
        self._until(lambda: self._holding(others), 'Only one master holds anything.')
        victim = self._holding(others)[0]
        victim.kill()
        self._dead = (victim.name,)
        self._board.say(f'kill -9 of {victim.name}, which holds a shared lock.')
        return victim

    def _holding(self, masters: list[Master]) -> list[Master]:
        running = {self._site.plan.workers[one.worker] for one in self._site.diary.running()}
        return [one for one in masters if one.name in self._view.masters & running]

    def _connected(self) -> bool:
        try:
            return len(self._living.api.connected()) == len(self._site.plan.workers)
        except ApiError:
            return False

    def _all_complete(self) -> bool:
        try:
            return set(self._requests) <= set(self._results())
        except ApiError:
            return False

    def _results(self) -> dict[int, int | None]:
        """Of the complete ones."""
        return {
            one['buildrequestid']: one['results']
            for one in self._living.api.requests()
            if one['complete']
        }

    @property
    def _living(self) -> Master:
        """One that was never killed."""
        return next(one for one in self._site.masters.values() if one.name not in self._dead)

    def _until(self, true: Callable[[], object], otherwise: str, *, fatal: bool = True) -> None:
        def seen() -> object:
            self._look()
            return true()

        try:
            self._stop.until(seen, LONG, otherwise)
        except DemoError:
            if fatal:
                raise

    def _look(self) -> None:
        self._stop.check()
        diary = self._site.diary
        try:
            with self._engine.connect() as connection:
                holders, waiting = view.holders(connection), view.waiting(connection)
        except sa.exc.ProgrammingError:  # no master has made the tables yet
            holders, waiting = (), 0
        self._view = View(
            holders=holders,
            waiting=waiting,
            ended=len(diary.ended()),
            running=len(diary.running()),
            dead=tuple(name for name in self._dead if not self._site.masters[name].alive()),
        )
        self._board.show(self._view)

    def _outcome(self, killed: str) -> Outcome:
        self._look()
        held = [f'{one.lock} is held by {one}' for one in self._view.holders]
        if self._view.waiting:
            held.append(f'{self._view.waiting} still wait for a lock')
        return Outcome(
            requests=self._requests,
            results=self._results(),
            built=self._site.diary.ended(),
            peaks=self._site.diary.peaks(),
            held=held,
            killed=killed,
        )
