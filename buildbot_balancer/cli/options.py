# SPDX-License-Identifier: GPL-2.0-or-later
"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

from buildbot_balancer.availability.report import REASON_LIMIT
from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.when import clock_text
from buildbot_balancer.availability.when import moment
from buildbot_balancer.errors import TimeError
from buildbot_balancer.reporter.word import Word

basedirs = click.argument('basedirs', nargs=-1, required=True, metavar='BASEDIR...')
basedir = click.argument('basedir', type=click.Path(path_type=Path))
reason = click.option('--reason', metavar='TEXT', help='Why; shown to all who wait for builds.')
until = click.option(
    '--until',
    metavar='TIME|DURATION',
    help='When it ends by itself: 18:00, "2026-12-24 08:00", 2h, 1h30m.',
)


def reason_of(text: str | None) -> str | None:
    return None if text is None else clean(text, REASON_LIMIT) or None


def until_of(text: str | None, now: float) -> float | None:
    """Whole seconds, as the word's file keeps them. Raises TimeError."""
    if text is None:
        return None
    at = float(int(moment(text, now)))
    if at <= now:
        raise TimeError(f'--until "{clean(text, 40)}" is over already')
    return at


def described(word: Word, now: float) -> str:
    """``reluctant until 18:00 (using it)``"""
    if word.mood is None:
        return 'auto'
    ends = '' if word.until is None else f' until {clock_text(word.until, now)}'
    why = f' ({clean(word.reason, REASON_LIMIT)})' if word.reason else ''
    return f'{word.mood.label}{ends}{why}'
