# SPDX-License-Identifier: GPL-2.0-or-later
"""Parameters: what somebody asks of a worker or a builder, checked before anything is done."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping
from typing import Any

import attrs

from buildbot_balancer.availability.mood import AUTO
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.report import REASON_LIMIT
from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.when import moment
from buildbot_balancer.errors import BalancerError

USER = 'owner'  # how Buildbot calls the user who asks
_LONGEST = 10 * 366 * 86400  # as for a time that is typed: see availability/when.py
_WORD = 60  # characters of a mood or a time


@attrs.frozen(kw_only=True)
class Parameters:
    """`mood` is a label, or ``auto``; `until` is epoch seconds."""

    mood: str | None = None
    reason: str | None = None
    until: float | None = None
    user: str | None = None


def read(action: str, given: Mapping[str, Any], known: Collection[str], now: float) -> Parameters:
    """Raises BalancerError with a sentence."""
    for name in given:
        if name not in {*known, USER}:
            takes = f'it takes {", ".join(known)}' if known else 'it takes none'
            raise BalancerError(f'"{clean(name[:400], 40)}" is no parameter of "{action}": {takes}')
    made = Parameters(
        mood=_mood(given.get('mood')) if 'mood' in known else None,
        reason=_line('reason', given.get('reason')),
        until=_until(given.get('until'), now),
        user=_line('user', given.get(USER)),
    )
    if made.mood == AUTO and (made.reason or made.until is not None):
        raise BalancerError(f'"{AUTO}" ends what was set, and takes no reason and no until')
    return made


def _mood(value: Any) -> str:
    if value is None:
        raise BalancerError('"mood" is missing')
    if not isinstance(value, str):
        raise BalancerError('"mood" must be text')
    if value.strip().lower() == AUTO:
        return AUTO
    return Mood.parse(_short('mood', value)).label


def _line(name: str, value: Any) -> str | None:
    """One line of text; cut before it is cleaned, for cleaning looks at each character."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise BalancerError(f'"{name}" must be text')
    return clean(value[: 10 * REASON_LIMIT], REASON_LIMIT) or None


def _short(name: str, value: str) -> str:
    if len(value) > _WORD:
        raise BalancerError(f'"{name}" has {len(value)} characters, over the limit of {_WORD}')
    return value


def _until(value: Any, now: float) -> float | None:
    if value is None:
        return None
    if isinstance(value, str):
        value = moment(_short('until', value), now)
    if type(value) not in {int, float}:
        raise BalancerError('"until" must be epoch seconds, or text such as 18:00 or 2h')
    if value <= now:
        raise BalancerError('"until" is over already')
    if not value <= now + _LONGEST:  # NaN, too
        raise BalancerError('"until" must be epoch seconds within the next ten years')
    return float(value)
