# SPDX-License-Identifier: GPL-2.0-or-later
"""Decide: what the machine's mood is, and who says so. Pure."""

from __future__ import annotations

import attrs

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.reporter.word import Word


@attrs.frozen(kw_only=True)
class Opinion:
    mood: Mood
    source: str
    reason: str | None = None
    until: float | None = None
    draining: bool = False


def decide(word: Word, now: float, *, free: bool) -> Opinion:
    """`free`: nothing of a build is left on the machine, and the master has promised it.

    A holiday becomes offline when the machine is empty.
    """
    if not word.holds(now) or word.mood is None:
        return Opinion(mood=Mood.EAGER, source='default')
    gone = word.mood is Mood.GOING_ON_HOLIDAY and free
    return Opinion(
        mood=Mood.OFFLINE if gone else word.mood,
        source='drain' if word.draining else 'owner',
        reason=word.reason,
        until=word.until,
        draining=word.draining,
    )
