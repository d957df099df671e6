# SPDX-License-Identifier: GPL-2.0-or-later
"""Decision: where the master let a request start and why, as its log says in one line each."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import attrs

_LINE = re.compile(
    r'buildbot-balancer: request (?P<request>\d+) of \S+ starts on (?P<worker>[^\s;]+)'
    r'(?: \(score (?P<score>\d+)[^)]*\))?(?:; (?P<others>.*))?'
)
_DETAIL = re.compile(r' \([^)]*\)')
_BUSY = re.compile(r'runs a build of \S+|runs \d+ of at most \d+ builds')


@attrs.frozen
class Decision:
    request: int
    worker: str
    score: str | None = None
    others: str = ''  # a clause for each worker that could not take it

    def names(self, worker: str) -> bool:
        """Whether `worker` is among those that could not take it."""
        return any(clause.split(' ', 1)[0] == worker for clause in self.others.split('; '))

    def why(self, workers: Collection[str], reluctant: Collection[str]) -> str:
        """In words; `reluctant` are those whose owners had said so by then."""
        others = self._others()
        if self.worker in reluctant:
            return f'reluctant, but nobody else could ({others})'
        free = [one for one in workers if one != self.worker and not self.names(one)]
        equals = [one for one in free if one not in reluctant]
        parts = []
        if equals:
            parts.append(f'score {self.score or "?"}, none better among {_all_of(equals)}')
        spared = [one for one in free if one in reluctant]
        if spared:
            parts.append(f'eager, so {_all_of(spared)} (reluctant) was spared')
        if not parts:
            parts.append('eager, and the only one that could')
        return '; '.join(parts) + (f' ({others})' if others else '')

    def _others(self) -> str:
        """``busy: anna, ben; offline: cleo``"""
        names: dict[str, list[str]] = {}
        for clause in filter(None, _DETAIL.sub('', self.others).split('; ')):
            name, _, said = clause.partition(' ')
            what = 'busy' if _BUSY.fullmatch(said) else re.sub('^is ', '', said)
            names.setdefault(what, []).append(name)
        return '; '.join(f'{what}: {", ".join(who)}' for what, who in names.items())


def parse(line: str) -> Decision | None:
    found = _LINE.search(line)
    if found is None:
        return None
    return Decision(
        int(found['request']), found['worker'], found['score'], (found['others'] or '').strip()
    )


class Decisions:
    """All that a master's log has told so far, read on from where the last look ended."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read = 0
        self.all: list[Decision] = []

    def look(self) -> list[Decision]:
        """All of them, in their order."""
        try:
            with self._log.open('rb') as f:
                f.seek(self._read)
                text = f.read()
        except FileNotFoundError:
            return self.all
        whole, newline, _ = text.rpartition(b'\n')  # a line that is being written comes later
        self._read += len(whole) + len(newline)
        found = [parse(line) for line in whole.decode(errors='replace').splitlines()]
        self.all.extend(one for one in found if one is not None)
        return self.all


def _all_of(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f'{", ".join(names[:-1])} and {names[-1]}'
