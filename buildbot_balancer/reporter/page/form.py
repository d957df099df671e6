# SPDX-License-Identifier: GPL-2.0-or-later
"""Form: what the owner says on the page. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from buildbot_balancer.availability.mood import AUTO
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.report import REASON_LIMIT
from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.when import moment
from buildbot_balancer.errors import TimeError
from buildbot_balancer.errors import WordError
from buildbot_balancer.reporter.says import DRAIN
from buildbot_balancer.reporter.word import Word
from buildbot_balancer.reporter.word import new_id

_UNTIL_LIMIT = 60


@attrs.frozen
class Form:
    """As it was typed; shown again where something in it is wrong."""

    said: str = ''
    reason: str = ''
    until: str = ''

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> Form:
        return cls(
            clean(fields.get('say', ''), 40),
            clean(fields.get('reason', ''), REASON_LIMIT),
            clean(fields.get('until', ''), _UNTIL_LIMIT),
        )

    def word(self, now: float) -> Word:
        """Raises WordError and TimeError."""
        if not self.said:
            raise WordError('none of the buttons was pressed')
        if self.said == AUTO:
            return Word(id=new_id())
        drains = self.said == DRAIN
        return Word(
            mood=Mood.GOING_ON_HOLIDAY if drains else Mood.parse(self.said),
            reason=self.reason or None,
            until=self._ends(now),
            draining=drains,
            id=new_id(),
        )

    def _ends(self, now: float) -> float | None:
        """Whole seconds, as the word's file keeps them."""
        if not self.until:
            return None
        at = float(int(moment(self.until, now)))
        if at <= now:
            raise TimeError(f'"{self.until}" is over already')
        return at
