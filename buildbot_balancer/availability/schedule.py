# SPDX-License-Identifier: GPL-2.0-or-later
"""Schedule: when workers may build, as the config of the master says."""

from __future__ import annotations

import math
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import attrs

from buildbot_balancer.availability.cap import SCHEDULE
from buildbot_balancer.availability.cap import Cap
from buildbot_balancer.availability.cap import Caps
from buildbot_balancer.availability.cap import Closing
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.window import Window
from buildbot_balancer.errors import WordError


@attrs.frozen
class Availability:
    """``util.Availability('win*', windows=[util.Window(...)], mood='offline', clear_by=600)``

    Inside the windows the workers' mood is at most `mood`. From `clear_by` seconds before a
    window starts, only builds that past durations say will be over by then still start.
    """

    worker_glob: Any
    windows: Any = ()
    mood: Any = 'offline'
    clear_by: Any = 0

    def problems(self) -> Iterator[str]:
        """A sentence each, for the check of the config."""
        if not isinstance(self.worker_glob, str) or not self.worker_glob:
            yield f'Availability: {self.worker_glob!r} is no name or glob of workers'
        listed = isinstance(self.windows, (list, tuple))
        if not listed or not self.windows:
            yield f'Availability: windows must be a list of util.Window, not {self.windows!r}'
        for window in self.windows if listed else ():
            if not isinstance(window, Window):
                yield f'Availability: {window!r} is no util.Window'
        yield from self._mood_problems()
        number = isinstance(self.clear_by, (int, float)) and not isinstance(self.clear_by, bool)
        if not number or not math.isfinite(self.clear_by) or self.clear_by < 0:
            yield f'Availability: clear_by must be a number of seconds, not {self.clear_by!r}'

    def _mood_problems(self) -> Iterator[str]:
        try:
            mood = Mood.parse(self.mood) if isinstance(self.mood, str) else None
        except WordError as e:
            yield f'Availability: mood: {e}'
            return
        if mood is None:
            yield f'Availability: mood must be a word, not {self.mood!r}'
        elif mood is Mood.EAGER:
            yield "Availability: mood='eager' would change nothing; leave it out"
        elif mood.starts_builds and self.clear_by:
            yield f'Availability: clear_by= would be ignored with mood={self.mood!r}'

    def caps(self, now: float) -> Caps:
        """For a worker that the glob matches; there are no problems."""
        mood = Mood.parse(self.mood)
        inside = [window for window in self.windows if window.contains(now)]
        begins = [w.next_change(now) for w in self.windows if w not in inside]
        begins_at = min((at for at in begins if at is not None), default=None)
        closings: tuple[Closing, ...] = ()
        if not mood.starts_builds and self.clear_by and begins_at is not None:
            closings = (Closing(at=begins_at, clears_from=begins_at - self.clear_by),)
        return Caps(
            tuple(
                Cap(mood=mood, source=SCHEDULE, reason=str(one), until=one.next_change(now))
                for one in inside
            ),
            changes_at=begins_at,
            closings=closings,
        )


def together(all_caps: Iterable[Caps]) -> Caps:
    """What holds for a worker of which several speak."""
    found = list(all_caps)
    return Caps(
        tuple(cap for one in found for cap in one.caps),
        changes_at=min((c.changes_at for c in found if c.changes_at is not None), default=None),
        closings=tuple(closing for one in found for closing in one.closings),
    )
