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
_KEYS = ('reason', 'until', 'drain', 'id')


@attrs.frozen(kw_only=True)
class Word:
    """`mood` None leaves the answer to the machine. Two words that differ have different ids."""

    mood: Mood | None = None
    reason: str | None = None
    until: float | None = None  # epoch seconds
    draining: bool = False
    id: str = ''

    def holds(self, now: float) -> bool:
        return self.mood is not None and (self.until is None or now < self.until)


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
    try:
        until = moment(values['until'], written_at) if 'until' in values else None
    except TimeError as e:
        raise WordError(str(e)) from e
    digest = hashlib.sha256(f'{written_at!r}\n{text}'.encode(errors='replace')).hexdigest()
    return Word(
        mood=mood,
        reason=reason,
        until=until,
        draining=values.get('drain', 'no').lower() in {'yes', 'true', '1'},
        id=clean(values.get('id', ''), 64) or digest[:16],
    )


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
        at = datetime.fromtimestamp(word.until, timezone.utc)
        lines.append(f'until: {at.isoformat(timespec="seconds")}')
    if word.draining:
        lines.append('drain: yes')
    lines.append(f'id: {word.id or new_id()}')
    return '\n'.join(lines) + '\n'


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
