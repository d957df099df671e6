# SPDX-License-Identifier: GPL-2.0-or-later
"""Worker: what one does, or why it gets nothing, in one line."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.text import clean
from buildbot_balancer.explain.about import About
from buildbot_balancer.explain.verdicts import cut

BUILDS = 5  # by name in one line
LONGEST = 500
NAME = 60

_OBSTACLES = {
    'disconnected': 'is not connected',
    'paused': 'is paused',
    'graceful': 'shuts down when its builds are over',
    'quarantined': 'is in quarantine, as a build could not be started there',
    'held': 'has just attached, its first report is awaited',
    Mood.GOING_ON_HOLIDAY.label: 'is on holiday',
    Mood.OFFLINE.label: 'is offline',
}


@attrs.frozen(kw_only=True)
class Demand:
    """Who could use a worker. None: that is not known.

    `builders`: how many have it; `waiting`: how many requests wait for one of these; `why`: why it
    takes none of them, a sentence each.
    """

    builders: int | None = None
    waiting: int | None = None
    why: tuple[str, ...] = ()


def summary(about: About, builds: tuple[str, ...], demand: Demand, now: float) -> str:
    """`builds`: titles of those that run there, without those that are about to start."""
    return cut('; '.join(_parts(about, builds, demand, now)), LONGEST)


def _parts(about: About, builds: tuple[str, ...], demand: Demand, now: float) -> Iterator[str]:
    standing = about.standing
    obstacles = about.obstacles(now)
    running = standing.presence.running
    for code, detail in obstacles.items():
        yield _OBSTACLES[code] + (f' ({detail})' if detail else '')
    if running:
        full = '' if obstacles or not about.full else ', and may run no more'
        yield f'{_runs(running, builds)}{full}'
    elif not obstacles:
        yield _idle(about, demand)
    if standing.mood is Mood.RELUCTANT:
        word = about.word(now)
        yield 'is reluctant' + (f' ({word})' if word else '') + ', used only if nobody else can'
    silence = about.silence(now)
    if silence and 'disconnected' not in obstacles:
        yield silence
    if demand.builders == 0:
        yield 'no builder uses it'
    elif not obstacles and demand.waiting:
        verb = 'request waits' if demand.waiting == 1 else 'requests wait'
        yield f'{demand.waiting} {verb} for its builders'
        yield from demand.why


def _idle(about: About, demand: Demand) -> str:
    if not about.standing.presence.connected:  # a latent one
        return 'is started when a build needs it'
    return 'is free: nothing waits for it' if demand.waiting == 0 else 'is free'


def _runs(running: int, builds: tuple[str, ...]) -> str:
    titles = [clean(one, NAME) for one in builds[:BUILDS]]
    titles += ['...'] if len(builds) > BUILDS else []
    coming = running - len(builds)
    titles += [f'{coming} about to start'] if coming > 0 else []
    said = f': {", ".join(titles)}' if titles else ''
    return f'runs {running} {"build" if running == 1 else "builds"}{said}'
