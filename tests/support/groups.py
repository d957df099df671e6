# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds with a StepGroup on a real master, and what must be true when they have ended."""

from __future__ import annotations

import gc
import signal
from pathlib import Path
from typing import Any
from typing import Callable

from buildbot.config import BuilderConfig
from buildbot.locks import WorkerLock
from buildbot.plugins import steps
from buildbot.process.buildstep import BuildStep
from buildbot.process.factory import BuildFactory
from buildbot.process.results import Results
from twisted.spread import pb

from buildbot_balancer.steps.group import StepGroup
from support.lone_worker import LoneWorker
from support.masters import PROTOCOLS
from support.masters import MasterCase

JTAG = WorkerLock('jtag')
HOLD = JTAG.access('exclusive')


class Adds(BuildStep):
    """Adds steps to its build, as steps that find out what to do next are wont to."""

    def __init__(self, after: Any = (), last: Any = (), **kwargs: Any) -> None:
        self.after = after
        self.last = last
        super().__init__(**kwargs)

    def run(self) -> int:
        self.build.addStepsAfterCurrentStep(list(self.after))
        self.build.addStepsAfterLastStep(list(self.last))
        return 0


class Calls(BuildStep):
    """Does something of the test's, on the master."""

    def __init__(self, function: Callable[[], Any], **kwargs: Any) -> None:
        self.function = function
        super().__init__(**kwargs)

    def run(self) -> int:
        self.function()
        return 0


class Raises(BuildStep):
    def run(self) -> int:
        raise RuntimeError('a defect of the step')


class GroupCase(MasterCase):
    """One worker, the builders 'b' and 'c' with the steps of the test, and 'next', whose builds
    need the lock.
    """

    def make_config(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        config = super().make_config(*args, **kwargs)
        group = StepGroup(name='next', locks=[HOLD], steps=[self.shell('after', 'true')])
        config['builders'].append(
            BuilderConfig(name='next', workernames=['w1'], factory=BuildFactory([group]))
        )
        return config

    async def start_with(
        self, make: Callable[[], list[Any]], *, process: bool = False, **more: Any
    ) -> None:
        self.builds_seen: list[Any] = []
        self.journal = Path(self.mktemp()).absolute()
        self.journal.touch()
        builders = {'b': ('w1',), 'c': ('w1',)}
        await self.start(('w1',), steps=make, builders=builders, connect=False, **more)
        if process:
            self.process = await self.connect_process()
        else:
            await self.connect('w1', reporter=False)

    def shell(self, name: str, command: str, **more: Any) -> Any:
        return steps.ShellCommand(
            name=name, command=['sh', '-c', command], logEnviron=False, **more
        )

    def part(self, name: str, seconds: float = 0.0, code: int = 0, **more: Any) -> Any:
        """A command that says in the journal when it runs."""
        text = f'echo +{name} >> "$J"; sleep {seconds}; echo -{name} >> "$J"; exit {code}'
        return self.shell(name, text, env={'J': str(self.journal)}, **more)

    def said(self) -> list[str]:
        return self.journal.read_text().split()

    async def lock(self) -> Any:
        real = await self.master.botmaster.getLockByID(JTAG, 0)
        return real.getLockForWorker('w1')

    async def is_held(self) -> bool:
        return bool((await self.lock()).owners)

    def builder(self, name: str = 'b') -> Any:
        return self.master.botmaster.builders[name]

    async def running_build(self, name: str = 'b') -> Any:
        """Buildbot's own object of the build that runs there now."""
        await self.until(lambda: any(b.buildid for b in self.builder(name).building))
        build = self.builder(name).building[0]
        self.builds_seen.append(build)
        return build

    async def build_of(self, brid: int, tries: int = 1) -> dict[str, Any] | None:
        """The last one, with the rows of its steps; None until it is finished."""
        found = [b for b in await self.builds() if b['buildrequestid'] == brid]
        if len(found) < tries or not found[-1]['complete']:
            return None
        build = found[-1]
        build['steps'] = list(await self.master.data.get(('builds', build['buildid'], 'steps')))
        return build

    async def finished(self, brid: int, tries: int = 1) -> dict[str, Any]:
        while (build := await self.build_of(brid, tries)) is None:
            await self.stays(lambda: True, 0.05)
        await self.until(lambda: not any(b.finished for b in self.building()))
        return build

    def building(self) -> list[Any]:
        return [b for one in self.master.botmaster.builders.values() for b in one.building]

    def rows(self, build: dict[str, Any]) -> list[tuple[str, str]]:
        """(name, result) of each step that ran; Buildbot's own rows are left out."""
        own = {'worker_preparation', 'locks_acquire'}
        return [
            (row['name'], 'runs' if row['results'] is None else Results[row['results']])
            for row in build['steps']
            if row['name'] not in own
        ]

    def row(self, build: dict[str, Any], name: str) -> dict[str, Any]:
        return next(row for row in build['steps'] if row['name'] == name)

    async def state_of(self, name: str) -> str:
        """What the row of a step says now."""
        rows = [row for row in await self.all_steps() if row['name'] == name]
        return str(rows[-1]['state_string']) if rows else ''

    async def all_steps(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for build in await self.builds():
            rows += await self.master.data.get(('builds', build['buildid'], 'steps'))
        return rows

    async def until_state(self, name: str, state: str) -> None:
        while await self.state_of(name) != state:
            await self.stays(lambda: True, 0.05)

    async def until_said(self, word: str) -> None:
        await self.until(lambda: word in self.said(), why=f'{word} in {self.said()}')

    async def until_runs(self, name: str) -> None:
        """Its command runs, and the master knows that: the worker has answered the call to start
        it. Buildbot's step of a worker that is lost before that ends with EXCEPTION.
        """
        await self.until_said(f'+{name}')
        await self.until(lambda: not self.unanswered())

    def unanswered(self) -> Any:
        """The master's calls to the worker that have no answer yet."""
        connection = self.buildbot_worker('w1').conn
        if self.proto == 'pb':
            return connection.mind.broker.waitingForAnswers
        return connection.protocol.seq_num_to_waiters_map

    def freeze_process(self) -> None:
        """The worker answers no more, and its connection stays."""
        self.process._process.send_signal(signal.SIGSTOP)

    async def connect_process(self) -> LoneWorker:
        """The worker, in a process that can be killed."""
        made = LoneWorker(self.port, 'w1', self.worker_dir('w1'), PROTOCOLS[self.proto])
        self.addCleanup(made.kill)
        await self.until(lambda: self.is_attached('w1'))
        return made

    async def check_all_is_free(self) -> None:
        """Nobody holds or awaits the lock, the worker is free, and the next request gets both."""
        await self.until(lambda: not self.building())
        lock = await self.lock()
        self.assertEqual((lock.owners, lock.waiting), ([], []))
        self.assertEqual((lock._claimed_excl, lock._claimed_counting), (0, 0))
        for build in self.builds_seen:
            self.assertTrue(build.finished)
            self.assertIsNone(build.currentStep)
        for row in await self.all_steps():
            self.assertTrue(row['complete'], row)
        self.buildbot_worker('w1').stopQuarantineTimer()  # an EXCEPTION puts the worker there
        brid = await self.request('next')
        build = await self.finished(brid)
        self.assertEqual(Results[build['results']], 'success')
        self.assertEqual((lock.owners, lock.waiting), ([], []))
        # Buildbot drops the answers that it awaited of a worker that was killed
        gc.collect()
        self.flushLoggedErrors(pb.PBConnectionLost)
