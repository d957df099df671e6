# SPDX-License-Identifier: GPL-2.0-or-later
"""Limits: how many builds some builders may run at once, so that they do not take all workers."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import Callable

from buildbot_balancer.policy.globs import matches


class Limits:
    """``max_running={glob: n}``: the builders that match have n builds together."""

    def __init__(self, master: Any, is_paused: Callable[[str], bool] = lambda _: False) -> None:
        self._master = master
        self._limits: dict[str, int] = {}
        self._of: dict[str, list[str]] = {}  # globs, by builder
        self._members: dict[str, list[str]] = {}  # builders, by glob
        self._is_paused = is_paused

    def configure(self, limits: Mapping[str, int], builders: Iterable[str]) -> None:
        names = list(builders)
        self._limits = dict(limits)
        self._members = {glob: [n for n in names if matches(n, glob)] for glob in limits}
        self._of = {}
        for glob, members in self._members.items():
            for name in members:
                self._of.setdefault(name, []).append(glob)

    def __bool__(self) -> bool:
        return bool(self._limits)

    def may_start(self, builder: str, looking: Collection[str] = ()) -> bool:
        """`looking`: builders one of whose requests may be about to start."""
        return not self._is_paused(builder) and all(
            self._running(glob, looking) < self._limits[glob] for glob in self._of.get(builder, ())
        )

    def _running(self, glob: str, looking: Collection[str]) -> int:
        builders, members = self._master.botmaster.builders, self._members[glob]
        building = sum(len(builders[n].building) for n in members if n in builders)
        return building + sum(n in looking for n in members)
