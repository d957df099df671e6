# SPDX-License-Identifier: GPL-2.0-or-later
"""BuilderSights: which builders are paused, and how many requests wait for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable

from buildbot_balancer.explain.sights import BuilderSight
from buildbot_balancer.master.record.pauses import Pauses


class BuilderSights:
    """`waiting(builderid)`: how many requests wait; None where nobody has counted."""

    def __init__(self, pauses: Pauses, waiting: Callable[[int], int | None]) -> None:
        self._pauses = pauses
        self._waiting = waiting
        self._ids: dict[str, int] = {}

    def know(self, ids: Mapping[str, int]) -> None:
        """The builders of the config, by name."""
        self._ids = dict(ids)

    def id_of(self, name: str) -> int | None:
        return self._ids.get(name)

    def all(self) -> list[BuilderSight]:
        return [self._one(name, builderid) for name, builderid in sorted(self._ids.items())]

    def _one(self, name: str, builderid: int) -> BuilderSight:
        pause = self._pauses.get(name)
        waiting = self._waiting(builderid)
        if pause is None:
            return BuilderSight(builderid=builderid, name=name, waiting=waiting)
        return BuilderSight(
            builderid=builderid,
            name=name,
            paused=True,
            reason=pause.reason,
            until=pause.until,
            by=pause.by,
            paused_at=pause.at,
            waiting=waiting,
        )
