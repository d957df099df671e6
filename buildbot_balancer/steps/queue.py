# SPDX-License-Identifier: GPL-2.0-or-later
"""Queue: the members of a group that are still to run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from buildbot.process.buildstep import BuildStep
from buildbot.process.results import SKIPPED


class EndOfGroup(BuildStep):  # type: ignore[misc]  # Buildbot has no types
    """Stands in ``build.steps`` behind the members of a group, and is never started."""

    name = 'end-of-group'
    hideStepIf = True

    def run(self) -> int:
        return int(SKIPPED)


class Queue:
    """They stand at the front of ``build.steps``, where the build looks for its next step.

    So Buildbot's own addStepsAfterCurrentStep puts what the running member adds inside the group,
    right after that member, in nested groups too, and addStepsAfterLastStep behind all groups.
    An end mark tells what belongs to the group from what comes after it.
    """

    def __init__(self, build: Any, steps: Iterable[Any]) -> None:
        """`steps` are steps or step factories; raises what their constructors raise."""
        *members, self._end = build.setupBuildSteps([*steps, EndOfGroup()])
        self._build = build
        build.steps[:0] = [*members, self._end]

    def __len__(self) -> int:
        """0, too, if somebody has put another list in the place of ``build.steps``."""
        for index, step in enumerate(self._build.steps):
            if step is self._end:  # by identity: Buildbot compares steps by their arguments
                return index
        return 0

    def pop(self) -> Any:
        return self._build.steps.pop(0)

    def close(self) -> None:
        """Leaves ``build.steps`` as it would be had the members never stood there."""
        del self._build.steps[: len(self)]
        if self._build.steps and self._build.steps[0] is self._end:
            del self._build.steps[0]
