# SPDX-License-Identifier: GPL-2.0-or-later
"""Desk: the reporter's files in the worker's basedir.

The owner's word is read from it; the announcement, the status and the pulse are kept on it.
"""

from __future__ import annotations

from pathlib import Path

from buildbot_balancer import __version__
from buildbot_balancer.availability import announcement
from buildbot_balancer.availability.announcement import Announcement
from buildbot_balancer.availability.text import clean
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.errors import StoreError
from buildbot_balancer.errors import WireError
from buildbot_balancer.log import say
from buildbot_balancer.reporter import files
from buildbot_balancer.reporter import status
from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.pulse import Pulse
from buildbot_balancer.reporter.status import Status
from buildbot_balancer.reporter.word import NO_WORD
from buildbot_balancer.reporter.word import Word

_NEVER_READ = (-1, -1, -1)
STATUS_EVERY = 5.0  # seconds, where nothing but the time has changed


class Desk:
    """`word` is the last good word; `problem` says why the file does not count."""

    def __init__(self, basedir: Path) -> None:
        self._basedir = basedir
        self._info = basedir / 'info' / announcement.FILE
        self._pulse = Pulse(basedir)
        self._beats = False
        self._refused = 0
        self._seen: tuple[int, int, int] | None = _NEVER_READ
        self._doubted = False
        self._shown: Status | None = None
        self._said: dict[str, str] = {}
        self.word = NO_WORD
        self.problem: str | None = None

    def look(self) -> bool:
        """True where the owner's word is another one now."""
        self._keep_pulse()
        found = files.signature(word.path(self._basedir))
        if found == self._seen and not self._doubted:
            return False
        first = self._seen == _NEVER_READ
        self._seen = found
        try:
            new = word.load(self._basedir)
        except BalancerError as e:
            return self._damaged(str(e), first=first)
        self._doubted = False
        self.problem = None
        return self._adopt(new, first=first)

    def _adopt(self, new: Word, *, first: bool) -> bool:
        if new == self.word and not first:
            return False
        self.word = new
        self._announce()
        return True

    def _damaged(self, why: str, *, first: bool) -> bool:
        # "echo reluctant > availability" empties the file before it fills it: look once more
        # before anyone is told
        if not self._doubted and not first:
            self._doubted = True
            return False
        self._doubted = False
        self.problem = clean(f'{why}; the last good word counts', 300)
        self._say('word', self.problem)
        return self._adopt(self._announced(), first=True) if first else False

    def _announced(self) -> Word:
        """The last good word of an earlier process."""
        try:
            said = Announcement.from_wire(files.read(self._info))
        except (StoreError, WireError):
            return NO_WORD
        return Word(
            mood=said.mood,
            reason=said.reason,
            until=said.until,
            draining=said.draining,
            id=said.word,
        )

    def _announce(self) -> None:
        said = Announcement(
            version=__version__,
            mood=self.word.mood,
            reason=self.word.reason,
            until=self.word.until,
            word=self.word.id,
            draining=self.word.draining,
        )
        try:
            self._info.parent.mkdir(exist_ok=True)
            files.write(self._info, said.to_wire() + '\n')
        except (StoreError, OSError) as e:
            self._say('info', f'a master that starts anew will not know the word: {e}')

    def show(self, now: Status) -> None:
        """Keeps the status file true; one that differs by its time alone is written less often."""
        before = self._shown
        if before is not None and abs(now.at - before.at) < STATUS_EVERY:
            same = status.same_but_time(before, now)
            if same:
                return
        self._shown = now
        try:
            status.save(self._basedir, now)
        except StoreError as e:
            self._say('status', str(e))

    def _keep_pulse(self) -> None:
        if self._beats:
            return
        try:
            self._beats = self._pulse.start()
        except StoreError as e:
            self._say('pulse', str(e))
            return
        if not self._beats:
            self._refused += 1
        if self._refused > 1:  # once may be a command that looks at this very moment
            self._say('pulse', f'another process reports for {self._basedir} already')

    def leave(self) -> None:
        self._pulse.stop()
        self._beats = False

    def _say(self, about: str, text: str) -> None:
        if self._said.get(about) != text:
            self._said[about] = text
            say(text)
