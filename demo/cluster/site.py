# SPDX-License-Identifier: GPL-2.0-or-later
"""Site: a database, a router, and masters with their workers, in one folder."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable

import attrs

from demo.cluster import master
from demo.cluster.crew import Crew
from demo.cluster.database import Database
from demo.cluster.diary import Diary
from demo.cluster.master import Master
from demo.cluster.recipe import Recipe
from demo.cluster.router import REALM
from demo.cluster.router import Router

NAMES = ('m1', 'm2', 'm3')
EACH = 2  # workers of a master
PATIENCE = 3.0  # seconds that a process may take to end by itself


@attrs.frozen(kw_only=True)
class Plan:
    """`way`: of a master to its database, from its name and a port to another port.
    `environment`: of a master, from its name.
    """

    names: tuple[str, ...] = NAMES
    seconds: float = 0.3  # that a job runs
    locks: str = ''
    reporters: bool = False  # whether the workers report
    lease: float = 6.0  # seconds; short, so that a dead master is soon done without
    settings: tuple[str, ...] = ()  # of the database's server
    way: Callable[[str, int], int] = lambda _, port: port
    environment: Callable[[str], dict[str, str]] = lambda _: {}

    @property
    def workers(self) -> dict[str, str]:
        """The master of each."""
        everybody = [name for name in self.names for _ in range(EACH)]
        return {f'w{number}': name for number, name in enumerate(everybody, 1)}


class Site:
    """`close` ends whatever there is by then."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder = folder
        self.plan = plan
        self._cleanups = contextlib.ExitStack()
        self.diary = Diary(folder / 'diary')
        self._cleanups.callback(self.diary.kill_all)
        self.masters: dict[str, Master] = {}

    def start(self) -> None:
        """Until the masters run and their workers have been launched; raises ProcessError."""
        with ThreadPoolExecutor() as pool:
            router = pool.submit(self._start_router)
            self._start_database()
            master.make(self.folder, list(self.plan.names), self.database.url())
            router.result()
        self._start_masters()
        self.crew = Crew(
            self.folder / 'crew',
            {worker: self.masters[name].pb for worker, name in self.plan.workers.items()},
            reporters=self.plan.reporters,
        )
        self._keep(self.crew.stop)
        self.crew.start()

    def close(self) -> None:
        self._cleanups.close()

    def _start_database(self) -> None:
        self.database = Database(self.folder / 'pg', *self.plan.settings)
        self._keep(self.database.stop)
        self.database.start()

    def _start_router(self) -> None:
        self.router = Router(self.folder / 'crossbar')
        self._keep(self.router.stop)
        self.router.start()

    def _start_masters(self) -> None:
        recipe = Recipe(
            workers=tuple(self.plan.workers),
            job=self.diary.command(self.plan.seconds),
            router=self.router.url,
            realm=REALM,
            locks=self.plan.locks,
            lease=self.plan.lease,
        )
        for name in self.plan.names:
            port = self.plan.way(name, self.database.port)
            url = self.database.url(port, application=name)
            made = Master(self.folder / name, _config(recipe, name, url))
            made.environment = self.plan.environment(name)
            self.masters[name] = made
            self._keep(made.stop)
            self._keep(made.kill)  # no need to be polite: `stop` takes the rest
        for one in self.masters.values():
            one.begin()
        for one in self.masters.values():
            one.until_it_runs()

    def _keep(self, end: Callable[[], None]) -> None:
        self._cleanups.callback(end)


def _config(recipe: Recipe, name: str, url: str) -> Callable[[int, int], str]:
    return lambda pb, www: recipe.config(name, url, pb, www)
