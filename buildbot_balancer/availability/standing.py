# SPDX-License-Identifier: GPL-2.0-or-later
"""Standing: what the master concludes about a worker."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import attrs

from buildbot_balancer.availability.announcement import Announcement
from buildbot_balancer.availability.cap import Caps
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.report import Report
from buildbot_balancer.availability.wire import Fact

SILENT_AFTER = 4  # times the age at which a report is stale
LEAST_STALE_AFTER = 30.0  # seconds; three heartbeats of 10 s
NO_CAPS = Caps()


class Freshness(enum.Enum):
    """How far a report can be trusted."""

    FRESH = 'fresh'
    STALE = 'stale'  # the owner's word holds, the load is unknown
    SILENT = 'silent'  # stale for so long that somebody should look
    UNREPORTED = 'unreported'  # nothing was ever heard


@attrs.frozen(kw_only=True)
class Rules:
    """How a master judges what it hears; times in seconds."""

    stale_after: float | None = None  # None: three heartbeats, at least 30 s
    report_grace: float = 10.0
    unreported: Mood = Mood.EAGER

    def stale_age(self, report: Report) -> float:
        if self.stale_after is not None:
            return self.stale_after
        return max(3 * report.interval, LEAST_STALE_AFTER)


@attrs.frozen(kw_only=True)
class Heard:
    """The last good report, and when it came by the master's clock."""

    report: Report
    at: float


@attrs.frozen(kw_only=True)
class Presence:
    """What Buildbot itself knows of a worker."""

    connected: bool = False
    paused: bool = False
    graceful: bool = False  # shuts down when its builds are over
    quarantined: bool = False
    latent: bool = False  # started when a build needs it
    running: int = 0  # builds, those about to start included
    max_builds: int | None = None
    attached_at: float | None = None
    announced: bool = False  # the worker of this connection has a reporter
    announcement: Announcement | None = None
    heard: bool = False  # a report came over this very connection


@attrs.frozen(kw_only=True)
class Standing:
    """`owners_mood`: what it would be if the master's side had no say; a cap only lowers it."""

    name: str
    mood: Mood
    source: str
    presence: Presence
    freshness: Freshness
    owners_mood: Mood = Mood.EAGER
    clears_at: float | None = None  # a build that starts now must be over by then
    reason: str | None = None
    until: float | None = None
    draining: bool = False
    held: bool = False  # attached, has a reporter, and nothing heard of it yet
    changes_at: float | None = None  # when it changes with no event; None: never
    reported_at: float | None = None
    load: float | None = None  # per CPU; None: unknown
    own: float | None = None
    cpu: float | None = None
    memory: float | None = None
    cpus: int | None = None
    host: str | None = None
    idle: float | None = None
    facts: Mapping[str, Fact] = attrs.field(factory=dict)

    @property
    def fresh(self) -> bool:
        return self.freshness is Freshness.FRESH

    @property
    def refuses(self) -> bool:
        """True: no build may start here now, whoever wants to start it."""
        return self.held or not self.mood.starts_builds


def conclude(
    name: str,
    heard: Heard | None,
    presence: Presence,
    now: float,
    rules: Rules,
    caps: Caps = NO_CAPS,
) -> Standing:
    """The standing of one worker at `now`."""
    held_until = _held_until(presence, rules)
    held = held_until is not None and now < held_until
    if presence.connected and not presence.announced and not presence.heard:
        # its reporter was detached or uninstalled, and with it went the owner's word
        heard = None
    if presence.announced and not presence.heard and presence.announcement is not None:
        said = _as_announced(name, presence.announcement, heard, presence, now, rules)
    else:
        said = _as_reported(name, heard, presence, now, rules)
    said = _capped(said, caps, now)
    if not held:
        return said
    return attrs.evolve(said, held=True, changes_at=_first(said.changes_at, held_until))


def _capped(said: Standing, caps: Caps, now: float) -> Standing:
    """The lower of the two holds: nobody on the master's side overrules an owner's "no"."""
    changes_at = _first(said.changes_at, caps.next_change(now))
    said = attrs.evolve(
        said, owners_mood=said.mood, changes_at=changes_at, clears_at=caps.clears(now)
    )
    lowest = caps.lowest(now)
    if lowest is None or lowest.mood >= said.mood:
        return said
    return attrs.evolve(
        said,
        mood=lowest.mood,
        source=lowest.source,
        reason=lowest.reason,
        until=lowest.until,
        draining=lowest.mood is Mood.GOING_ON_HOLIDAY,
    )


def _held_until(presence: Presence, rules: Rules) -> float | None:
    waits = presence.connected and presence.announced and not presence.heard
    if not waits or presence.attached_at is None:
        return None
    return presence.attached_at + rules.report_grace


def _freshness(heard: Heard | None, now: float, rules: Rules) -> Freshness:
    if heard is None:
        return Freshness.UNREPORTED
    stale_at, silent_at = _ages_at(heard, rules)
    if now < stale_at:
        return Freshness.FRESH
    return Freshness.STALE if now < silent_at else Freshness.SILENT


def _ages_at(heard: Heard, rules: Rules) -> tuple[float, float]:
    """When a report becomes stale, and when its worker counts as silent."""
    stale = rules.stale_age(heard.report)
    return heard.at + stale, heard.at + SILENT_AFTER * stale


def _first(*moments: float | None) -> float | None:
    return min((at for at in moments if at is not None), default=None)


def _as_announced(
    name: str,
    said: Announcement,
    heard: Heard | None,
    presence: Presence,
    now: float,
    rules: Rules,
) -> Standing:
    # The file in info/ is written at each change of the owner's word, so it is newer than any
    # report that an earlier connection brought.
    over = said.until is not None and said.until <= now
    spoken = said.mood is not None and not over
    return Standing(
        name=name,
        mood=said.mood if said.mood is not None and not over else rules.unreported,
        source='owner' if spoken else 'unreported',
        reason=said.reason if spoken else None,
        until=said.until if spoken else None,
        draining=said.draining and spoken,
        presence=presence,
        freshness=_stale_at_best(_freshness(heard, now, rules)),
        changes_at=_next_change(heard, said.until if spoken else None, now, rules, fresh=False),
        reported_at=None if heard is None else heard.at,
    )


def _stale_at_best(freshness: Freshness) -> Freshness:
    return Freshness.STALE if freshness is Freshness.FRESH else freshness


def _as_reported(
    name: str, heard: Heard | None, presence: Presence, now: float, rules: Rules
) -> Standing:
    freshness = _freshness(heard, now, rules)
    if heard is None:
        return Standing(
            name=name,
            mood=rules.unreported,
            source='unreported',
            presence=presence,
            freshness=freshness,
        )
    report = heard.report
    # A reporter that still speaks ends a word by itself, by the owner's clock. Only for one that
    # has gone silent the master's clock decides.
    over = freshness is not Freshness.FRESH and report.until is not None and report.until <= now
    known = freshness is Freshness.FRESH
    return Standing(
        name=name,
        mood=rules.unreported if over else report.mood,
        source='unreported' if over else report.source,
        reason=None if over else report.reason,
        until=None if over else report.until,
        draining=report.draining and not over,
        presence=presence,
        freshness=freshness,
        changes_at=_next_change(heard, None if over else report.until, now, rules, fresh=known),
        reported_at=heard.at,
        load=report.load if known else None,
        own=report.own if known else None,
        cpu=report.cpu if known else None,
        memory=report.memory if known else None,
        cpus=report.cpus,
        host=report.host,
        idle=report.idle if known else None,
        facts=report.facts,
    )


def _next_change(
    heard: Heard | None, until: float | None, now: float, rules: Rules, *, fresh: bool
) -> float | None:
    if heard is None:
        return until
    stale_at, silent_at = _ages_at(heard, rules)
    if fresh:  # the reporter itself ends a word in time
        return stale_at
    return _first(until, silent_at if now < silent_at else None)
