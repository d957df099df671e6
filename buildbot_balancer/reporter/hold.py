# SPDX-License-Identifier: GPL-2.0-or-later
"""Hold and Threshold: an input that moves to and fro does not make the mood do so. Pure."""

from __future__ import annotations

import attrs

from buildbot_balancer.availability.mood import Mood

_WILLING = max(Mood) + 1  # None, no mood at all: nothing is more willing


@attrs.define
class Threshold:
    """True from `busy` on until it is back at `free` or below."""

    busy: float
    free: float
    crossed: bool = False

    def look(self, value: float) -> bool:
        if value >= self.busy:
            self.crossed = True
        elif value <= self.free:
            self.crossed = False
        return self.crossed


@attrs.define
class Hold:
    """A mood falls at once, for the owner comes first. It rises when what lowered it has been
    over for `seconds` without interruption: so it falls at most once, and rises at most once, in
    any time of that length.
    """

    seconds: float
    _mood: Mood | None = None
    _begun: bool = False
    _rises: tuple[float, Mood | None] | None = None  # since when, and how far at most

    @property
    def waits(self) -> bool:
        """The mood is kept down although nothing says so any more."""
        return self._rises is not None

    def settle(self, wanted: Mood | None, now: float) -> Mood | None:
        """`now`: seconds of a clock that never steps."""
        if not self._begun or _level(wanted) <= _level(self._mood):
            self._begun = True
            self._mood, self._rises = wanted, None
            return wanted
        since, most = self._rises or (now, wanted)
        self._rises = (since, _lower(most, wanted))
        if now - since >= self.seconds:
            self._mood, self._rises = self._rises[1], None
        return self._mood


def _level(mood: Mood | None) -> int:
    return _WILLING if mood is None else int(mood)


def _lower(one: Mood | None, other: Mood | None) -> Mood | None:
    return one if _level(one) <= _level(other) else other
