# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting: when a drain is over. Pure: looks at a worker's folder and times in, verdicts out."""

from __future__ import annotations

import enum

import attrs

from buildbot_balancer.availability.when import span_text
from buildbot_balancer.reporter.status import Status

START_GRACE = 10.0  # seconds that a worker may take until its reporter runs
SILENT_AFTER = 15.0  # seconds; three times as long as a reporter lets its status be
UNREADABLE_FOR = 10.0  # seconds; a file that is just being written is readable long before
_MINUTE = 60.0


class Outcome(enum.IntEnum):
    """The command's exit code; a larger one is worse."""

    FREE = 0
    NOT_RUNNING = 3
    NO_MASTER = 4
    TIMEOUT = 5
    OTHER_WORD = 6


@attrs.frozen(kw_only=True)
class Seen:
    """One look, read in this order: the word, the status, the pulse, the process."""

    word: str | None  # id of the word in the file; None: it cannot be read
    holds: bool  # the word in the file is a drain and not over
    status: Status | None
    beats: bool
    process: bool = False  # there is no pulse, but a process that may be the worker


@attrs.frozen
class Verdict:
    outcome: Outcome
    sentence: str


@attrs.define
class _Span:
    """How long something has gone on without interruption."""

    since: float | None = None

    def seconds(self, now: float, *, goes_on: bool) -> float:
        if not goes_on:
            self.since = None
            return 0.0
        if self.since is None:
            self.since = now
        return now - self.since


class Waiting:
    """Waits for one worker; times are seconds of a clock that never steps.

    `new`: the word was written by this very command, so that a status about it cannot be older
    than the wait. `deadline`: builds that still run then are stopped.
    """

    def __init__(
        self,
        word: str,
        started: float,
        *,
        timeout: float | None = None,
        master_timeout: float = 30.0,
        new: bool = True,
        deadline: float | None = None,
    ) -> None:
        self._word = word
        self._timeout = timeout
        self._deadline = deadline
        self._master_timeout = master_timeout
        self._started = started
        self._changed_at = started
        self._answered = False
        self._unsure = not new
        self._stale: tuple[str, float] | None = None
        self._last: tuple[str, float] | None = None
        self._unreadable = _Span()
        self._starting = _Span()
        self._silent = _Span()
        self.progress = ''  # what it waits for

    def left(self, now: float) -> float | None:
        """Seconds until the timeout."""
        return None if self._timeout is None else self._started + self._timeout - now

    def look(self, seen: Seen, now: float) -> Verdict | None:
        """None: go on waiting."""
        trusted = self._trusts(seen, now)
        verdict = self._of_word(seen, now)
        if verdict is None and seen.beats:
            verdict = self._of_reporter(seen, now, trusted=trusted)
        elif verdict is None:
            verdict = self._of_process(seen, now)
        if verdict is None:
            verdict = self._of_time(now)
        return verdict

    def _trusts(self, seen: Seen, now: float) -> bool:
        # A reporter that died leaves its status behind, and the next one needs a moment to write
        # its own: until the status changes while the pulse beats, nobody knows whose it is.
        stamp = None if seen.status is None else (seen.status.incarnation, seen.status.at)
        if stamp != self._last:
            self._last = stamp
            self._changed_at = now
        if not seen.beats:
            self._unsure = True
        elif self._unsure:
            self._unsure = False
            self._stale = stamp
        return seen.beats and stamp is not None and stamp != self._stale

    def _of_word(self, seen: Seen, now: float) -> Verdict | None:
        unreadable = self._unreadable.seconds(now, goes_on=seen.word is None)
        if unreadable >= UNREADABLE_FOR:
            return Verdict(Outcome.OTHER_WORD, 'the file with the word cannot be read any more.')
        if seen.word is None:
            self.progress = 'waits until the file with the word can be read'
            return None
        if seen.word != self._word:
            return Verdict(Outcome.OTHER_WORD, 'no longer drained: somebody said something else.')
        if not seen.holds:
            return Verdict(Outcome.OTHER_WORD, 'no longer drained: its time is over.')
        return None

    def _of_reporter(self, seen: Seen, now: float, *, trusted: bool) -> Verdict | None:
        self._starting.seconds(now, goes_on=False)
        status = seen.status
        about_ours = status is not None and status.word == self._word
        if status is not None and about_ours and trusted and _promises(status) and seen.word:
            return Verdict(
                Outcome.FREE, 'free. Nothing runs and nothing will start until you resume'
            )
        fresh = now - self._changed_at < SILENT_AFTER
        answers = status is not None and about_ours and fresh and status.connected
        self._answered = self._answered or answers
        if self._silent.seconds(now, goes_on=not answers) >= self._master_timeout:
            return Verdict(Outcome.NO_MASTER, 'no master answers; the word is kept.')
        if seen.word:
            stops = self._deadline is not None and now >= self._deadline
            self.progress = _progress(status, stops=stops) if answers else 'waits for the master'
        return None

    def _of_process(self, seen: Seen, now: float) -> Verdict | None:
        self._silent.seconds(now, goes_on=False)
        starting = self._starting.seconds(now, goes_on=seen.process)
        if not seen.process and seen.word:
            return Verdict(
                Outcome.NOT_RUNNING, 'not running; the word is kept and nothing can start.'
            )
        if starting >= START_GRACE:
            return Verdict(
                Outcome.NO_MASTER,
                'the worker runs without a reporter, so no master hears the word: '
                'attach it and restart the worker.',
            )
        if seen.word:
            self.progress = "waits for the worker's reporter to start"
        return None

    def _of_time(self, now: float) -> Verdict | None:
        left = self.left(now)
        if left is None or left > 0:
            return None
        if not self._answered:
            return Verdict(Outcome.NO_MASTER, 'no master answered in time; the word is kept.')
        return Verdict(Outcome.TIMEOUT, f'not yet: {self.progress}; the word is kept.')


def _promises(status: Status) -> bool:
    return status.free and status.draining


def _progress(status: Status | None, *, stops: bool) -> str:
    if status is not None and status.running:
        return _builds(status.running, status.builds_left, stops=stops)
    if status is not None and status.left == 1:
        return '1 process of a build is still here'
    if status is not None and status.left:
        return f'{status.left} processes of builds are still here'
    return 'waits for the master'


def _builds(count: int, left: float | None, *, stops: bool) -> str:
    if stops:
        return f'{"1 build is" if count == 1 else f"{count} builds are"} being stopped'
    runs = '1 build still runs' if count == 1 else f'{count} builds still run'
    if left is None:
        return runs
    span = 'less than a minute' if left < _MINUTE else f'about {span_text(left)}'
    return f'{runs}, {span} left, from past durations'
