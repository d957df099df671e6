# SPDX-License-Identifier: GPL-2.0-or-later
"""StepGroup: steps that share one hold of their locks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from typing import ClassVar

from buildbot import config
from buildbot.interfaces import IBuildStep
from buildbot.interfaces import IBuildStepFactory
from buildbot.interfaces import IRenderable
from buildbot.locks import LockAccess
from buildbot.process.buildstep import BuildStep
from buildbot.process.results import SKIPPED
from buildbot.process.results import SUCCESS
from buildbot.process.results import statusToString
from twisted.internet import defer

from buildbot_balancer.errors import StepGroupError
from buildbot_balancer.steps import conflicts
from buildbot_balancer.steps import holding
from buildbot_balancer.steps.members import Members

NAMED = 3  # failed members in the group's row; their own rows tell the rest


class StepGroup(BuildStep):  # type: ignore[misc]  # Buildbot has no types
    """``steps.StepGroup(name='test', locks=[jtag.access('exclusive')], steps=[...])``

    Takes its locks once, runs `steps` (a list of steps, or a renderable of one) in their order as
    ordinary steps of the build, and lets go once, when the last has ended or nothing more may run.
    Each keeps its own row, logs, summary, doStepIf, hideStepIf and statistics. haltOnFailure and
    alwaysRun of the steps reach as far as the group; what its result means for the build is said
    by the group's own flags. Takes all arguments of a BuildStep but workdir. Groups nest.
    """

    name = 'group'
    warnOnWarnings = True  # as flunkOnFailure: what the members make of it passes through
    renderables: ClassVar[list[str]] = ['steps']
    enclosing_groups: tuple[Any, ...] = ()  # the outermost first; the group around sets it

    def __init__(self, name: Any = None, steps: Any = None, **kwargs: Any) -> None:
        if name is not None:
            kwargs['name'] = name
        for problem in _wrong_arguments(kwargs, self._params_names):
            config.error(f'{self._title(name)}: {problem}')
        given = kwargs.get('updateBuildSummaryPolicy', self.updateBuildSummaryPolicy)
        self._speaks_too = given is not None
        super().__init__(**kwargs)
        self.steps = steps
        self._members = Members(self)
        for problem in self._problems():
            config.error(f'{self._title(name)}: {problem}')

    def _title(self, name: Any) -> str:
        return f'StepGroup {name!r}' if isinstance(name, str) else 'StepGroup'

    def _problems(self) -> Iterator[str]:
        yield from _wrong_locks(self.locks)
        if IRenderable.providedBy(self.steps):
            return  # the build will tell
        if self.steps is None or self.steps == []:
            yield 'steps must be a list of at least one step'
            return
        yield from self._wrong_steps()

    def _wrong_steps(self) -> Iterator[str]:
        yield from _no_steps(self.steps)
        for conflict in conflicts.find(self.locks, self.steps, 'the group'):
            yield str(conflict)

    # The run

    def startStep(self, remote: Any) -> defer.Deferred[int]:
        """Lets go also where Buildbot's own startStep raises before it comes to that."""
        done: defer.Deferred[int] = super().startStep(remote)
        return done.addBoth(self._let_go)

    def _let_go(self, result: Any) -> Any:
        holding.let_go(self)
        return result

    def releaseLocks(self) -> None:
        holding.let_go(self)

    def _setup_locks(self) -> defer.Deferred[None]:
        return conflicts.set_up(super()._setup_locks, self, self.enclosing_groups)

    def run(self) -> defer.Deferred[int]:
        return defer.ensureDeferred(self._run())

    async def _run(self) -> int:
        for problem in self._wrong_steps():
            self.descriptionDone = [problem]
            raise StepGroupError(problem)
        if not self.steps:
            return int(SKIPPED)
        return await self._members.run(self.steps)

    def interrupt(self, reason: Any) -> defer.Deferred[Any]:
        """Reaches the group, which may wait for its locks, and the running member; never fails.

        Every call is passed on, also those that the group has no use for any more: a member that
        was cancelled is told that its worker is lost, a cleanup that runs after a cancel is
        cancelled by the next one.
        """
        if self.stepid is None:
            return holding.interrupt(self, reason)
        holding.forget_old_waits(self)
        told = [super().interrupt(reason), self._members.interrupt(reason)]
        return defer.DeferredList(told, consumeErrors=True)

    # What it says

    def getCurrentSummary(self) -> dict[str, str]:
        running = f'{self._members.place} of {self._members.total}: {self._members.name}'
        if self.description is None:
            return {'step': running}
        return {'step': f'{super().getCurrentSummary()["step"]}, {running}'}

    def getResultSummary(self) -> dict[str, str]:
        """Buildbot asks for it as long as run() was not called, too."""
        if self.results is None:
            return {'step': 'waiting for locks' if self._waitingForLocks else 'starting'}
        described = self.description is not None or self.descriptionDone is not None
        if described or not self._members.total:
            return dict(super().getResultSummary())
        return {'step': self.build.properties.cleanupTextFromSecrets(self._result_text())}

    def _result_text(self) -> str:
        text = f'{self._members.done} of {self._members.total} done'
        failed = self._members.failed
        if failed:
            text += f', failed: {", ".join(failed[:NAMED])}'
            text += f' and {len(failed) - NAMED} more' if len(failed) > NAMED else ''
        if self.results != SUCCESS:
            text += f' ({statusToString(self.results)})'
        return text

    def getBuildResultSummary(self) -> defer.Deferred[dict[str, str]]:
        """Adds nothing where a member has spoken, unless updateBuildSummaryPolicy was given."""
        summary: defer.Deferred[dict[str, str]] = super().getBuildResultSummary()
        return summary.addCallback(self._without_repetition)

    def _without_repetition(self, summary: dict[str, str]) -> dict[str, str]:
        if self._members.spoke and not self._speaks_too:
            summary.pop('build', None)
        return summary


def _wrong_arguments(kwargs: dict[str, Any], known: list[str]) -> Iterator[str]:
    """Drops what it finds."""
    for name in sorted(set(kwargs) - set(known)):
        del kwargs[name]
        yield f'unknown argument {name!r}'
    if kwargs.pop('workdir', None) is not None:
        yield 'workdir would not reach the steps; give it to them'


def _wrong_locks(locks: Any) -> Iterator[str]:
    if locks is None or IRenderable.providedBy(locks):
        return
    if not isinstance(locks, (list, tuple)):
        yield f"locks must be a list such as [lock.access('exclusive')], not {_show(locks)}"
        return
    for access in locks:
        if not isinstance(access, LockAccess) and not IRenderable.providedBy(access):
            yield f"locks: {_show(access)} is no access; write lock.access('exclusive')"
    for name in conflicts.twice(locks):
        yield f'locks: {name!r} stands there twice'


def _no_steps(steps: Any) -> Iterator[str]:
    if not isinstance(steps, (list, tuple)):
        yield f'steps must be a list of steps, not {_show(steps)}'
        return
    for index, step in enumerate(steps):
        if not IBuildStep.providedBy(step) and not IBuildStepFactory.providedBy(step):
            yield f'steps[{index}] is no step: {_show(step)}'


def _show(value: Any) -> str:
    return repr(value)[:60]
