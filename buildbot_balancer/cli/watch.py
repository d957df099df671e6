# SPDX-License-Identifier: GPL-2.0-or-later
"""Watch: looks at the folders of workers that drain until each has its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Callable

import attrs

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.when import clock_text
from buildbot_balancer.cli import process
from buildbot_balancer.cli.basedir import has_reporter
from buildbot_balancer.cli.basedir import shown
from buildbot_balancer.cli.waiting import Outcome
from buildbot_balancer.cli.waiting import Seen
from buildbot_balancer.cli.waiting import Verdict
from buildbot_balancer.cli.waiting import Waiting
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.reporter import leftovers
from buildbot_balancer.reporter import pulse
from buildbot_balancer.reporter import status
from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.word import Word

POLL = 0.25  # seconds between two looks


@attrs.frozen(kw_only=True)
class Clocks:
    """`steady` never steps; `wall` are epoch seconds."""

    steady: Callable[[], float]
    wall: Callable[[], float]
    sleep: Callable[[float], None]


@attrs.define(kw_only=True)
class Job:
    basedir: Path
    word: Word
    waiting: Waiting
    verdict: Verdict | None = None
    said: str = ''  # the progress that was printed
    before: str = ''  # the one of the look before


def is_drain(said: Word, now: float) -> bool:
    """Whether it is a drain that is in force."""
    return said.draining and said.mood is Mood.GOING_ON_HOLIDAY and said.holds(now)


def look(basedir: Path, now: float) -> Seen:
    """The order counts: see Seen. `now`: epoch seconds."""
    said = _said(basedir)
    known = status.load(basedir)
    beats = pulse.beats(basedir)
    return Seen(
        word=None if said is None else said.id,
        holds=said is not None and is_drain(said, now),
        status=known,
        beats=beats,
        process=not beats and process.find(basedir) is not None,
    )


def _said(basedir: Path) -> Word | None:
    try:
        return word.load(basedir)
    except BalancerError:
        return None


def wait(jobs: Sequence[Job], clocks: Clocks, echo: Callable[[str], None]) -> Outcome:
    """The worst of the verdicts."""
    while True:
        for job in jobs:
            _step(job, clocks, echo)
        open_jobs = [job for job in jobs if job.verdict is None]
        if not open_jobs:
            return max(job.verdict.outcome for job in jobs if job.verdict is not None)
        now = clocks.steady()
        ends = [left for job in open_jobs if (left := job.waiting.left(now)) is not None]
        clocks.sleep(max(min([POLL, *ends]), 0.0))


def _step(job: Job, clocks: Clocks, echo: Callable[[str], None]) -> None:
    done = job.verdict
    # one that is free may be resumed while others are waited for
    if done is not None and done.outcome is not Outcome.FREE:
        return
    seen = look(job.basedir, clocks.wall())
    verdict = job.waiting.look(seen, clocks.steady())
    if done is not None and (verdict is None or verdict.outcome is not Outcome.OTHER_WORD):
        return
    if verdict is None:
        _show_progress(job, echo)
        return
    job.verdict = verdict
    echo(f'{shown(job.basedir)}: {_sentence(job, verdict, clocks.wall())}')


def _show_progress(job: Job, echo: Callable[[str], None]) -> None:
    # what is over at the next look is not worth a line
    progress = job.waiting.progress
    if progress == job.before and progress != job.said:
        job.said = progress
        echo(f'{shown(job.basedir)}: {progress}')
    job.before = progress


def _sentence(job: Job, verdict: Verdict, now: float) -> str:
    if verdict.outcome is Outcome.FREE:
        ends = job.word.until
        return (
            f'{verdict.sentence}.'
            if ends is None
            else (f'{verdict.sentence}, or until {clock_text(ends, now)}.')
        )
    if verdict.outcome is not Outcome.NOT_RUNNING:
        return verdict.sentence
    said = [verdict.sentence]
    pids = leftovers.find(job.basedir)
    if pids:
        said.append(f'Processes of its builds are still here: {", ".join(map(str, pids))}.')
    if not has_reporter(job.basedir):
        said.append('It has no reporter and would not heed the word: attach it before its start.')
    return ' '.join(said)
