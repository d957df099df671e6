# SPDX-License-Identifier: GPL-2.0-or-later
"""Several real masters on one PostgreSQL, with Crossbar.io, and what a test can do to them."""

from __future__ import annotations

import collections
import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from demo.api import ApiError
from demo.cluster import tools
from demo.cluster.site import Plan
from demo.cluster.site import Site
from support import postgres
from support.cluster_wire import DatabaseWire
from support.diary import until
from support.servers import demand

CLOCK = """\
import time
real = time.time
time.time = lambda: real() + {seconds}
"""
ATTACHED = 'Connected to buildmaster; worker is ready'
PATIENCE = 120.0  # seconds; bounds a failure, it is no expectation


def problem() -> str:
    return postgres.problem() if tools.postgres() is None else tools.problem()


class ClusterCase(SynchronousTestCase):
    """`serve` starts it all; workers w1 and w2 belong to m1, w3 and w4 to m2, and so on."""

    def serve(self, **planned: Any) -> None:
        demand('several masters', problem())
        folder = Path(tempfile.mkdtemp(prefix='cluster-'))
        self.addCleanup(self._tidy_up, folder)
        self.wires: dict[str, DatabaseWire] = {}
        self.site = Site(folder, Plan(**planned))
        self.addCleanup(self._close)
        self.site.start()
        self.masters = self.site.masters
        self.diary = self.site.diary
        self.everybody_is_connected()

    def wire(self, name: str, port: int) -> int:
        """A Plan's `way`: through a wire, which is `wires[name]`."""
        self.wires[name] = DatabaseWire(port)
        return self.wires[name].port

    def clock(self, seconds: float) -> dict[str, str]:
        """The environment of a process whose clock is ahead by this."""
        folder = self.site.folder / f'clock{seconds:g}'
        folder.mkdir()
        (folder / 'sitecustomize.py').write_text(CLOCK.format(seconds=seconds))
        others = os.environ.get('PYTHONPATH')
        return {'PYTHONPATH': os.pathsep.join([str(folder), *([others] if others else [])])}

    def everybody_is_connected(self) -> None:
        """By what the workers say: what is in the database depends on clocks."""
        count = len(self.site.plan.workers)
        self.until(lambda: self.site.crew.log.count(ATTACHED) >= count)

    @property
    def someone(self) -> Any:
        """A master that runs."""
        return next(one for one in self.masters.values() if one.alive())

    def until(self, true: Any, seconds: float = PATIENCE) -> None:
        def holds() -> bool:
            with contextlib.suppress(ApiError):  # it starts, or has lost its database
                return bool(true())
            return False

        until(holds, seconds, self.tell, every=0.1)

    def submit(
        self, count: int, through: str = 'm1', branches: tuple[str, ...] = ('x',)
    ) -> list[int]:
        api = self.masters[through].api
        return [
            api.submit(f'b{number % 2 + 1}', branches[number % len(branches)])
            for number in range(count)
        ]

    def completed(self, requests: list[int]) -> bool:
        wanted = set(requests)
        found = self.someone.api.requests()
        return wanted <= {one['buildrequestid'] for one in found if one['complete']}

    def completed_well(self, requests: list[int], *allowed: int) -> None:
        """All are complete, with success or what is allowed; one that ended as its master did may
        have been built again.
        """
        found = {one['buildrequestid']: one['results'] for one in self.someone.api.requests()}
        self.assertEqual({found[number] for number in requests} - {0, *allowed}, set())
        well = {number for number in requests if found[number] == 0}
        self.assertEqual(well - set(self.diary.ended()), set())
        self.assertGreater(len(well), len(requests) / 2)

    def succeeded(self, requests: list[int]) -> None:
        """All are complete, and each was built to its end once."""
        found = {one['buildrequestid']: one for one in self.someone.api.requests()}
        self.assertEqual(
            {number: found[number]['results'] for number in requests}, dict.fromkeys(requests, 0)
        )
        ended = self.diary.ended()
        self.assertEqual({number: ended[number] for number in requests}, dict.fromkeys(requests, 1))

    def running_on(self, name: str) -> list[int]:
        """Requests whose jobs live on the workers of a master."""
        of = self.site.plan.workers
        return [one.number for one in self.diary.running() if of[one.worker] == name]

    def limits_held(self) -> None:
        """As the builds themselves have recorded it."""
        peaks = self.diary.peaks()
        self.assertTrue(peaks)
        over = {lock: peak for lock, peak in peaks.items() if peak > (2 if lock == 'host' else 1)}
        self.assertEqual(over, {}, 'more than may be held them at one time')

    def holders(self) -> list[str]:
        """The masters that hold something, in the database."""
        rows = self.site.database.rows(
            'SELECT DISTINCT name FROM balancer_incarnation WHERE id IN '
            '(SELECT incarnation FROM balancer_unit)'
        )
        return self._names(rows)

    def waiters(self) -> list[str]:
        rows = self.site.database.rows(
            'SELECT DISTINCT name FROM balancer_incarnation WHERE id IN '
            '(SELECT incarnation FROM balancer_waiter)'
        )
        return self._names(rows)

    def _names(self, rows: list[Any]) -> list[str]:
        return [name for name in self.masters if any(row[0].endswith(f'/{name}') for row in rows)]

    def nothing_is_held(self) -> None:
        """Nor waited for, in the database."""
        self.until(lambda: not self.held())

    def nothing_is_left(self) -> None:
        """No build, and no buildset, that is over and does not say so."""
        self.until(lambda: not self.open_rows(), 2 * PATIENCE)

    def open_rows(self) -> list[Any]:
        queries = (
            'SELECT id FROM builds WHERE complete_at IS NULL',
            'SELECT id FROM buildsets WHERE complete = 0',
        )
        return [row for query in queries for row in self.site.database.rows(query)]

    def held(self) -> list[Any]:
        return [
            row
            for table in ('balancer_unit', 'balancer_waiter')
            for row in self.site.database.rows(f'SELECT * FROM {table}')  # noqa: S608  ours
        ]

    def kill(self, name: str) -> None:
        """``kill -9``; its workers end its jobs."""
        self.masters[name].kill()
        self.until(lambda: not self.running_on(name))

    def begun_again(self) -> list[int]:
        """Requests that were begun more than once."""
        begun = collections.Counter(one.number for one in self.diary.entries('begin'))
        return sorted(number for number, often in begun.items() if often > 1)

    def quiet(self, *names: str) -> None:
        """Their logs have nothing that an operator would have to look at."""
        for name in names:
            log = self.masters[name].log
            for sign in ('Traceback', 'Unhandled', 'went wrong'):
                at = log.find(sign)
                self.assertEqual(at, -1, f'{name}: {log[max(at - 300, 0) : at + 1500]}')

    def tell(self) -> str:
        """For a failure: who runs, what ran, the ends of the logs."""
        said = [f'running: {self.diary.running()}', f'ended: {dict(self.diary.ended())}']
        for name, one in self.masters.items():
            said.append(f'{name} {"lives" if one.alive() else "is dead"}:\n{one.log[-1500:]}')
        with contextlib.suppress(ApiError, StopIteration):
            said += [str(one) for one in self.someone.api.requests() if not one['complete']]
        return '\n'.join(said)

    def _close(self) -> None:
        for wire in self.wires.values():
            wire.heal()
        self.site.close()
        for wire in self.wires.values():
            wire.close()

    @staticmethod
    def _tidy_up(folder: Path) -> None:
        if 'KEEP_CLUSTER' not in os.environ:  # for whoever looks into a failure
            shutil.rmtree(folder, ignore_errors=True)
