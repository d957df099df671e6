# SPDX-License-Identifier: GPL-2.0-or-later
"""Picture: what the files in a worker's folder tell together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from buildbot_balancer.availability import announcement
from buildbot_balancer.availability.announcement import Announcement
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.when import clock_text
from buildbot_balancer.availability.when import span_text
from buildbot_balancer.cli.basedir import has_reporter
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.reporter import files
from buildbot_balancer.reporter import pulse
from buildbot_balancer.reporter import status
from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.decide import authority
from buildbot_balancer.reporter.decide import decide
from buildbot_balancer.reporter.says import Says
from buildbot_balancer.reporter.status import Status
from buildbot_balancer.reporter.word import NO_WORD
from buildbot_balancer.reporter.word import Word

STALE_AFTER = 30.0  # seconds; a reporter renews its status every five


@attrs.frozen(kw_only=True)
class Picture:
    """None is unknown. The first ten are promised to programs."""

    mood: str
    reason: str | None
    source: str
    until: float | None
    load: float | None
    cpus: int | None
    idle: float | None
    running: int | None
    draining: bool
    connected: bool
    alive: bool  # a reporter runs
    attached: bool  # the worker starts with one
    free: bool  # drained, and the master has promised
    left: int | None
    word: str
    problem: str | None
    authority: tuple[Says, ...]  # who says what, in their order; () where nobody is asked


def take(basedir: Path, now: float) -> Picture:
    said, problem = _word(basedir)
    known = status.load(basedir)
    alive = pulse.beats(basedir)
    if not alive or known is None or abs(now - known.at) > STALE_AFTER:
        known = Status(mood='', source='')
    free = known.free and known.word == said.id
    opinion = decide(said, now, free=free, automatic=known.authority)
    return Picture(
        mood=opinion.mood.label,
        reason=opinion.reason,
        source=opinion.source,
        until=opinion.until,
        load=known.load,
        cpus=known.cpus,
        idle=known.idle,
        running=known.running,
        draining=opinion.draining,
        connected=known.connected,
        alive=alive,
        attached=has_reporter(basedir),
        free=free and opinion.draining,
        left=known.left if known.mood else None,
        word=said.id,
        problem=problem or known.problem,
        authority=authority(said, now, known.authority) if known.authority else (),
    )


def _word(basedir: Path) -> tuple[Word, str | None]:
    """As the reporter reads it: of a damaged file the last good word counts."""
    try:
        return word.load(basedir), None
    except BalancerError as e:
        problem = clean(f'{e}; the last good word counts', 300)
    try:
        said = Announcement.from_wire(files.read(basedir / 'info' / announcement.FILE))
    except BalancerError:
        return NO_WORD, problem
    last = Word(
        mood=said.mood,
        reason=said.reason,
        until=said.until,
        draining=said.draining,
        id=said.word,
    )
    return last, problem


def to_json(shows: Picture) -> dict[str, Any]:
    return attrs.asdict(shows, value_serializer=_plain)


def _plain(_instance: Any, _field: Any, value: Any) -> Any:
    return value.label if isinstance(value, Mood) else value


def lines(shows: Picture, name: str, now: float) -> Iterator[str]:
    ends = '' if shows.until is None else f' until {clock_text(shows.until, now)}'
    why = f' ({shows.reason})' if shows.reason else ''
    yield f'{name}: {shows.mood}{ends}{why}, source: {shows.source}'
    if not shows.alive:
        yield '  no reporter runs' if shows.attached else '  no reporter is attached'
    else:
        yield '  a master listens' if shows.connected else '  no master listens'
        yield f'  {", ".join(_busy(shows))}'
    for one in shows.authority:
        mood = '-' if one.mood is None else one.mood.label
        yield f'  {one.source:<10} {mood:<16} {one.words}'
    if shows.free:
        yield '  free: nothing runs and nothing will start until you resume'
    if shows.problem:
        yield f'  problem: {shows.problem}'


def _busy(shows: Picture) -> Iterator[str]:
    cpus = '' if shows.cpus is None else f' on {shows.cpus} CPUs'
    yield 'load unknown' if shows.load is None else f'load {shows.load:.2f} per CPU{cpus}'
    if shows.idle is not None:
        yield f'idle for {span_text(shows.idle)}'
    if shows.running is not None:
        yield '1 build runs' if shows.running == 1 else f'{shows.running} builds run'
    if not shows.running and shows.left:
        yield f'{shows.left} processes of builds'
