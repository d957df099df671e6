# SPDX-License-Identifier: GPL-2.0-or-later
"""Outcome: the result of a group, from those of its members."""

from __future__ import annotations

from typing import Any

from buildbot.process.results import SUCCESS
from buildbot.process.results import computeResultAndTermination
from buildbot.process.results import worst_status


class Outcome:
    """Counts the members' results as a build counts those of its steps.

    Steps look at ``step.build.results`` (``doStepIf=lambda step: step.build.results == FAILURE``),
    so while the group runs the build's results are those so far, the members' included. `close`
    takes that back: what the build makes of the group is for the group's own flags to say.
    """

    def __init__(self, build: Any) -> None:
        self.results: int = SUCCESS
        self.terminate = False  # from here on only members with alwaysRun
        self._build = build
        self._before = self._shown = build.results

    def add(self, member: Any, results: int) -> None:
        self.results, terminate = computeResultAndTermination(member, results, self.results)
        self.terminate = self.terminate or terminate
        self._show(worst_status(self._before, self.results))

    def close(self) -> None:
        self._show(self._before)

    def _show(self, results: Any) -> None:
        if self._build.results == self._shown:  # else a cancel or a lost worker has had its say
            self._build.results = self._shown = results
