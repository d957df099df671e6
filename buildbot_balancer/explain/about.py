# SPDX-License-Identifier: GPL-2.0-or-later
"""About: what is known of one worker now, and what of it keeps every build away."""

from __future__ import annotations

import attrs

from buildbot_balancer.availability.cap import ADMIN
from buildbot_balancer.availability.cap import SCHEDULE
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.standing import Freshness
from buildbot_balancer.availability.standing import Standing
from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.when import clock_text
from buildbot_balancer.availability.when import span_text

REASON = 100  # characters of what a person typed
_BY = {ADMIN: 'said by an admin', SCHEDULE: 'by the schedule'}


@attrs.frozen(kw_only=True)
class About:
    """`owner`: the person whose machine it is, where that is known."""

    standing: Standing
    owner: str | None = None
    pause_reason: str | None = None

    @property
    def name(self) -> str:
        return self.standing.name

    @property
    def full(self) -> bool:
        presence = self.standing.presence
        return bool(presence.max_builds) and presence.running >= (presence.max_builds or 0)

    def obstacles(self, now: float) -> dict[str, str]:
        """What keeps all builds away: codes of verdicts, the first one first, with the details."""
        standing, found = self.standing, {}
        presence = standing.presence
        if not presence.connected and not presence.latent:
            found['disconnected'] = self._last_heard(now)
        if presence.paused:
            found['paused'] = _quoted(self.pause_reason)
        if presence.graceful:
            found['graceful'] = ''
        if presence.quarantined:
            found['quarantined'] = ''
        if standing.held:
            found['held'] = ''
        if not standing.mood.starts_builds:
            found[standing.mood.label] = self.word(now)
        return found

    def word(self, now: float) -> str:
        """What was said with the mood: ``"using it", until 18:00``."""
        standing = self.standing
        parts = [
            _quoted(standing.reason),
            '' if standing.until is None else f'until {clock_text(standing.until, now)}',
            _BY.get(standing.source, ''),
        ]
        return ', '.join(filter(None, parts))

    def silence(self, now: float) -> str:
        """``silent for 4 min``; '' for one that reports, and for one that never did."""
        at = self.standing.reported_at
        if at is None or self.standing.freshness is not Freshness.SILENT:
            return ''
        return f'silent for {span_text(now - at)}'

    def contradicts(self, code: str, now: float) -> bool:
        """The verdict with this code is of yesterday."""
        obstacles = self.obstacles(now)
        if code in PLAIN:
            return next(iter(obstacles), None) != code
        if obstacles:
            return True
        if code == Mood.RELUCTANT.label:
            return self.standing.mood is not Mood.RELUCTANT
        return code == 'busy' and not self.standing.presence.running

    def _last_heard(self, now: float) -> str:
        at = self.standing.reported_at
        return '' if at is None else f'last heard of {span_text(now - at)} ago'


# Codes of verdicts that follow from what is known of a worker, whatever the request.
PLAIN = frozenset(
    {
        'disconnected',
        'paused',
        'graceful',
        'quarantined',
        'held',
        *(mood.label for mood in Mood if not mood.starts_builds),
    }
)


def _quoted(text: str | None) -> str:
    said = clean(text or '', REASON)
    return f'"{said}"' if said else ''
