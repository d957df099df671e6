# SPDX-License-Identifier: GPL-2.0-or-later
"""The owner's word, and the one small file in which it lives.

The first line is a mood or ``auto``; lines of the form ``key: value`` may follow. A person or a
crontab may write it: ``echo reluctant > BASEDIR/availability``.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime
from datetime import timezone
from pathlib import Path

import attrs

from buildbot_balancer.availability.mood import AUTO
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.report import REASON_LIMIT
from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.when import moment
from buildbot_balancer.errors import TimeError
from buildbot_balancer.errors import WordError
from buildbot_balancer.reporter import files

FILE = 'availability'
SIGNAL = 'signal'
SOCKET = 'socket'
SOURCES = (SIGNAL, SOCKET)  # by which it may have come, beside the command line and an editor
_KEYS = ('reason', 'until', 'drain', 'deadline', 'source', 'id')


@attrs.frozen(kw_only=True)
class Word:
    """`mood` None leaves the answer to the machine. Two words that differ have different ids."""

    mood: Mood | None = None
    reason: str | None = None
    until: float | None = None  # epoch seconds
    draining: bool = False
    deadline: float | None = None  # epoch seconds; builds that still run then are stopped
    source: str = ''  # one of SOURCES, or ''
    id: str = ''

    def holds(self, now: float) -> bool:
        return self.mood is not None and (self.until is None or now < self.until)

    def seconds_to_deadline(self, now: float) -> float | None:
        """0: it is over; None: there is none."""
        if self.deadline is None or not self.draining or not self.holds(now):
            return None
        return max(self.deadline - now, 0.0)


NO_WORD = Word()


def new_id() -> str:
    return uuid.uuid4().hex[:16]


def path(basedir: Path) -> Path:
    return basedir / FILE


def parse(text: str, written_at: float) -> Word:
    """What a file says that was written at `written_at`; raises WordError."""
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith('#')]
    if not lines:
        raise WordError('it is empty')
    values = dict(_pair(line) for line in lines[1:])
    mood = None if lines[0].lower() == AUTO else Mood.parse(lines[0])
    reason = clean(values.get('reason', ''), REASON_LIMIT) or None
    until, deadline = (_moment(values.get(key), written_at) for key in ('until', 'deadline'))
    draining = values.get('drain', 'no').lower() in {'yes', 'true', '1'}
    if deadline is not None and not draining:
        raise WordError('"deadline" needs "drain: yes"')
    digest = hashlib.sha256(f'{written_at!r}\n{text}'.encode(errors='replace')).hexdigest()
    return Word(
        mood=mood,
        reason=reason,
        until=until,
        draining=draining,
        deadline=deadline,
        source=_source(values.get('source', '')),
        id=clean(values.get('id', ''), 64) or digest[:16],
    )


def _moment(text: str | None, written_at: float) -> float | None:
    try:
        return None if text is None else moment(text, written_at)
    except TimeError as e:
        raise WordError(str(e)) from e


def _source(text: str) -> str:
    if text and text not in SOURCES:
        raise WordError(f'"{clean(text, 40)}" is no source (there are {", ".join(SOURCES)})')
    return text


def _pair(line: str) -> tuple[str, str]:
    key, colon, value = line.partition(':')
    key = key.strip().lower()
    if not colon or key not in _KEYS:
        raise WordError(
            f'"{clean(line, 40)}" is not understood (lines after the mood: {", ".join(_KEYS)})'
        )
    return key, value.strip()


def render(word: Word) -> str:
    """The text that `parse` reads back."""
    lines = [AUTO if word.mood is None else word.mood.label]
    if word.reason:
        lines.append(f'reason: {clean(word.reason, REASON_LIMIT)}')
    if word.until is not None:
        lines.append(f'until: {_date(word.until)}')
    if word.draining:
        lines.append('drain: yes')
    if word.deadline is not None:
        lines.append(f'deadline: {_date(word.deadline)}')
    if word.source:
        lines.append(f'source: {word.source}')
    lines.append(f'id: {word.id or new_id()}')
    return '\n'.join(lines) + '\n'


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec='seconds')


def load(basedir: Path) -> Word:
    """The word in `basedir`; NO_WORD without a file. Raises WordError and StoreError."""
    place = path(basedir)
    found = files.signature(place)
    text = files.read(place)
    if text is None or found is None:
        return NO_WORD
    try:
        return parse(text, found[0] / 1e9)
    except WordError as e:
        raise WordError(f'{place}: {e}') from e


def save(basedir: Path, word: Word) -> None:
    """Raises StoreError."""
    files.write(path(basedir), render(word))
