# SPDX-License-Identifier: GPL-2.0-or-later
"""Zone: when a clock on the wall shows a time."""

from __future__ import annotations

import zoneinfo
from datetime import datetime
from datetime import tzinfo
from zoneinfo import ZoneInfo

import attrs

from buildbot_balancer.availability.text import clean
from buildbot_balancer.errors import TimeError

LOCAL = 'local'  # the machine's own zone, whatever it is


@attrs.frozen
class Zone:
    """`rules` None is the machine's own zone."""

    name: str
    rules: tzinfo | None = attrs.field(eq=False, repr=False)

    @classmethod
    def named(cls, name: str) -> Zone:
        """``Europe/Berlin``, ``UTC`` or ``local``; raises TimeError."""
        wanted = name.strip()
        if wanted.lower() == LOCAL:
            return cls(LOCAL, None)
        try:
            return cls(wanted, ZoneInfo(wanted))
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as e:
            raise TimeError(_unknown(wanted)) from e

    def shows(self, at: float) -> datetime:
        """What the clock shows at this moment, without a zone."""
        return datetime.fromtimestamp(at, self.rules).replace(tzinfo=None)

    def reaches(self, shown: datetime) -> float:
        """The first moment at which the clock shows this time, or a later one.

        A time that comes twice is its first coming; one that is skipped is the moment at which
        the clock skips it.
        """
        at = self._moment(shown, 0)
        if self.shows(at) == shown:
            return at
        # skipped: by the offset after the change it was too early, by the one before too late
        early, late = int(self._moment(shown, 1)), int(at)
        while late - early > 1:
            middle = (early + late) // 2
            if self.shows(middle) < shown:
                early = middle
            else:
                late = middle
        return float(late)

    def _moment(self, shown: datetime, fold: int) -> float:
        return shown.replace(tzinfo=self.rules, fold=fold).timestamp()


def _unknown(name: str) -> str:
    if not zoneinfo.available_timezones():
        return (
            f'the timezone "{clean(name, 40)}" cannot be looked up: this machine has no time zone '
            'data (install the package tzdata)'
        )
    import difflib

    near = difflib.get_close_matches(name, sorted(zoneinfo.available_timezones()), n=1)
    hint = f'; did you mean "{near[0]}"?' if near else ''
    return f'there is no timezone "{clean(name, 40)}" (such as Europe/Berlin, or UTC){hint}'
