# SPDX-License-Identifier: GPL-2.0-or-later
"""What probes say beyond a number: values that the judges of the owner's settings understand."""

from __future__ import annotations

from typing import Any

import attrs

from buildbot_balancer.availability.mood import Mood


@attrs.frozen
class Reading:
    """The last good value of a probe; None: there never was one. `at` is a steady clock's.

    `why` is what it said instead, where its last answer was none.
    """

    value: Any = None
    at: float = 0.0
    why: str = 'not measured yet'


@attrs.frozen(kw_only=True)
class Power:
    """`plugged` None: the machine has no battery."""

    plugged: bool | None = None
    percent: float | None = None


@attrs.frozen(kw_only=True)
class IdleTime:
    """Seconds since somebody used `what`."""

    seconds: float
    what: str


@attrs.frozen(kw_only=True)
class Advice:
    """What a command of the owner's printed; `mood` None: it leaves the answer to others."""

    mood: Mood | None
    reason: str = ''


@attrs.frozen(kw_only=True)
class LoadShare:
    """Load averages per CPU: all, and the part that this worker's builds make."""

    load: float
    own: float | None = None
