# SPDX-License-Identifier: GPL-2.0-or-later
"""Watch: notices that ``availability.toml`` has changed. A bad file never replaces a good one."""

from __future__ import annotations

from pathlib import Path

from buildbot_balancer.availability.text import clean
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.errors import StoreError
from buildbot_balancer.log import say
from buildbot_balancer.reporter import files
from buildbot_balancer.reporter.settings import store
from buildbot_balancer.reporter.settings.reading import read
from buildbot_balancer.reporter.settings.sections import Settings

_Signature = tuple[int, int, int]
_NEVER: _Signature = (-1, -1, -1)
NOTHING = Settings()


class Watch:
    """`settings`: the last good ones; None while there is a file and none was ever good.

    `problem` says why the file does not count.
    """

    def __init__(self, basedir: Path) -> None:
        self._basedir = basedir
        self._path = store.path(basedir)
        self._read: _Signature | None = _NEVER
        self._seen: _Signature | None = _NEVER
        self._said = ''
        self.settings: Settings | None = NOTHING
        self.problem: str | None = None

    def look(self) -> bool:
        """True where other settings count now."""
        first = self._read == _NEVER
        found = files.signature(self._path)
        # a file that is just being written is let alone until it is the same at two looks
        settled = found == self._seen
        self._seen = found
        if found == self._read or not (settled or first):
            return False
        self._read = found
        return self._load(first=first)

    def _load(self, *, first: bool) -> bool:
        before = self.settings
        try:
            text = files.read(self._path)
            new = NOTHING if text is None else read(text)
        except BalancerError as e:
            self._damaged(str(e), first=first)
            return self.settings != before
        self.settings, self.problem, self._said = new, None, ''
        self._keep(text)
        return self.settings != before

    def _keep(self, text: str | None) -> None:
        try:
            if text is None:
                store.remove_good(self._basedir)
            else:
                store.keep_good(self._basedir, text)
        except StoreError as e:
            say(f'after a restart a bad {store.FILE} would have no good one before it: {e}')

    def _damaged(self, why: str, *, first: bool) -> None:
        if first:
            self.settings = self._good()
        counts = 'nothing starts' if self.settings is None else 'the last good one counts'
        self.problem = clean(f'{self._path}: {why}; {counts}', 300)
        if self.problem != self._said:
            self._said = self.problem
            say(self.problem)

    def _good(self) -> Settings | None:
        """Of an earlier process."""
        try:
            return store.load_good(self._basedir)
        except BalancerError:
            return None
