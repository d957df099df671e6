# SPDX-License-Identifier: GPL-2.0-or-later
"""Decide: what the machine's mood is, and who says so. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.when import clock_text
from buildbot_balancer.reporter import says
from buildbot_balancer.reporter.says import Says
from buildbot_balancer.reporter.word import Word

PRIVATE = 'automatic'  # what others read of anything that the owner did not say


@attrs.frozen(kw_only=True)
class Opinion:
    mood: Mood
    source: str
    reason: str | None = None
    until: float | None = None
    draining: bool = False

    def is_old(self, before: Opinion) -> bool:
        """It is not worth a message of its own; the next one brings the words."""
        same = attrs.evolve(self, reason=before.reason) if self.is_automatic else self
        return same == before

    @property
    def is_automatic(self) -> bool:
        return self.source in says.AUTOMATIC

    def published(self, *, details: bool) -> Opinion:
        """What may leave the machine. Only a word of the owner's has an end that others trust."""
        if not self.is_automatic:
            return self
        if details:
            return attrs.evolve(self, until=None)
        return Opinion(mood=self.mood, source=PRIVATE)


def decide(word: Word, now: float, *, free: bool, automatic: Sequence[Says] = ()) -> Opinion:
    """`free`: nothing of a build is left on the machine, and the master has promised it.

    A holiday becomes offline when the machine is empty.
    """
    if word.holds(now) and word.mood is not None:
        return Opinion(
            mood=_or_gone(word.mood, free=free),
            source=says.DRAIN if word.draining else word.source or says.OWNER,
            reason=word.reason,
            until=word.until,
            draining=word.draining,
        )
    moods = [one for one in automatic if one.mood is not None]
    if not moods:
        return Opinion(mood=Mood.EAGER, source=says.DEFAULT)
    lowest = min(moods, key=_mood)
    return Opinion(
        mood=_or_gone(_mood(lowest), free=free),
        source=lowest.source,
        reason=lowest.words,
        until=lowest.until,
    )


def _mood(one: Says) -> Mood:
    return Mood.EAGER if one.mood is None else one.mood


def _or_gone(mood: Mood, *, free: bool) -> Mood:
    return Mood.OFFLINE if mood is Mood.GOING_ON_HOLIDAY and free else mood


def authority(word: Word, now: float, automatic: Sequence[Says]) -> tuple[Says, ...]:
    """Everybody who is asked, in the order of authority, for the owner to see."""
    spoken = word.mood if word.holds(now) else None
    ends = '' if spoken is None or word.until is None else f'until {clock_text(word.until, now)}'
    words = ', '.join(part for part in (word.reason or '', ends) if part)
    owner = None if word.draining else spoken
    drain = spoken if word.draining else None
    return (
        Says(says.OWNER, owner, words if owner is not None else 'says nothing'),
        Says(says.DRAIN, drain, words if drain is not None else 'none'),
        *automatic,
        Says(says.DEFAULT, Mood.EAGER, 'where nobody says anything'),
    )
