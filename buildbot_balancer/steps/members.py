# SPDX-License-Identifier: GPL-2.0-or-later
"""Members: the steps of a group, run one after the other as Buildbot's Build runs its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from buildbot.process.results import CANCELLED
from buildbot.process.results import EXCEPTION
from buildbot.process.results import FAILURE
from buildbot.process.results import RETRY
from buildbot.process.results import statusToString
from twisted.internet import defer
from twisted.python.failure import Failure

from buildbot_balancer import log
from buildbot_balancer.steps import conflicts
from buildbot_balancer.steps import holding
from buildbot_balancer.steps.outcome import Outcome
from buildbot_balancer.steps.queue import Queue


class Members:
    """What the group tells of them: `done`, `place` of the running one in `total`, `failed`."""

    def __init__(self, group: Any) -> None:
        self._group = group
        self._running: Any = None
        self.place = 0
        self.total = 0
        self.done = 0
        self.failed: list[str] = []
        self.spoke = False  # a member, at any depth, has put a word into the build's summary

    @property
    def name(self) -> str:
        """Of the running one; a renderable one is rendered a moment after its start."""
        name = getattr(self._running, 'name', None)
        return name if isinstance(name, str) else '...'

    async def run(self, steps: Iterable[Any]) -> int:
        """The group's result."""
        build = self._group.build
        queue = Queue(build, steps)
        outcome = Outcome(build)
        words = len(build.text)
        try:
            while (member := self._next(queue, outcome)) is not None:
                results = await self._run_one(member)
                outcome.add(member, results)
                self._count(member, results)
        finally:
            outcome.close()
            queue.close()
            self.spoke = len(build.text) > words
        if not build.conn:
            return int(RETRY)
        if self._group.stopped and outcome.results not in {EXCEPTION, RETRY, CANCELLED}:
            return int(CANCELLED)  # nobody ran at that moment, or only a cleanup
        return outcome.results

    def interrupt(self, reason: Any) -> defer.Deferred[Any]:
        if self._running is None or self._running.results is not None:
            return defer.succeed(None)
        return holding.interrupt(self._running, reason)

    def _next(self, queue: Queue, outcome: Outcome) -> Any:
        """As Build.getNextStep, with the group's own flags: a group that runs after the build was
        stopped (alwaysRun) runs whole.
        """
        build = self._group.build
        self.total = self.place + len(queue)
        while len(queue) and build.conn and not build.finished:
            member = queue.pop()
            self.place += 1
            if member.alwaysRun or not (outcome.terminate or self._group.stopped):
                return member
        return None

    async def _run_one(self, member: Any) -> int:
        """Never raises: whatever goes wrong, members with alwaysRun still have their turn."""
        build, group = self._group.build, self._group
        build.executedSteps.append(member)
        self._running = member
        group.updateSummary()
        try:
            results = await self._start(member)
            await build.master.data.updates.setBuildProperties(build.buildid, build)
            await self._speak(member)
        except Exception:
            why = Failure()
            log.failed(why, f'running the step {member.name!r} of the group {group.name!r}')
            await group.addLogWithFailure(why, f'{member.name} ')
            return int(EXCEPTION)
        log.say(f'step {member.name!r} of {group.name!r} complete: {statusToString(results)}')
        return results

    async def _start(self, member: Any) -> int:
        groups = (*self._group.enclosing_groups, self._group)
        if hasattr(member, 'enclosing_groups'):
            member.enclosing_groups = groups  # a group checks its locks itself
        else:
            conflicts.guard(member, groups)
        try:
            return int(await member.startStep(self._group.remote))
        except Exception:
            await self._end(member)
            raise

    async def _end(self, member: Any) -> None:
        """A startStep that raises has not come to the end of it."""
        member.results = EXCEPTION
        holding.let_go(member)
        if member.stepid is not None:
            updates = self._group.master.data.updates
            await updates.finishStep(member.stepid, EXCEPTION, False)

    async def _speak(self, member: Any) -> None:
        """As Build.stepDone."""
        build = self._group.build
        summary = await member.getBuildResultSummary()
        if 'build' in summary:
            build.text.append(summary['build'])
            text = ' '.join(build.text)
            await build.master.data.updates.setBuildStateString(build.buildid, text)

    def _count(self, member: Any, results: int) -> None:
        self.done += 1
        if results in {FAILURE, EXCEPTION}:
            self.failed.append(str(member.name))
