# SPDX-License-Identifier: GPL-2.0-or-later
"""Cap: what keeps a worker's mood down from the master's side, beside its owner's word."""

from __future__ import annotations

import attrs

from buildbot_balancer.availability.mood import Mood

ADMIN = 'admin'  # the source of a mood that a user of the master has set
SCHEDULE = 'schedule'  # of one that the config's windows say


@attrs.frozen(kw_only=True)
class Cap:
    """The mood is at most `mood` until `until` (epoch seconds; None: until it is taken away)."""

    mood: Mood
    source: str
    reason: str | None = None
    until: float | None = None
    by: str | None = None  # the user who set it

    def holds_at(self, now: float) -> bool:
        return self.until is None or now < self.until


@attrs.frozen
class Closing:
    """At `at` a cap begins that lets nothing start; from `clears_from` on only builds may start
    that will be over by then.
    """

    at: float
    clears_from: float


@attrs.frozen
class Caps:
    """All that there are for one worker; `changes_at`: when one that is not here begins."""

    caps: tuple[Cap, ...] = ()
    changes_at: float | None = None
    closings: tuple[Closing, ...] = ()

    def lowest(self, now: float) -> Cap | None:
        holding = [cap for cap in self.caps if cap.holds_at(now)]
        return min(holding, key=lambda cap: cap.mood, default=None)

    def clears(self, now: float) -> float | None:
        """The moment by which a build that starts now must be over; None: there is none."""
        return min((one.at for one in self.closings if one.clears_from <= now), default=None)

    def next_change(self, now: float) -> float | None:
        ends = [cap.until for cap in self.caps if cap.until is not None and cap.until > now]
        begins = [] if self.changes_at is None else [self.changes_at]
        return min([*ends, *begins], default=None)
