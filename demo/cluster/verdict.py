# SPDX-License-Identifier: GPL-2.0-or-later
"""Verdict: what the demo of the cluster promises, and what of it was broken."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping

import attrs

PEAK = 2
HOST = 'host'
RESULTS = {0: 'success', 6: 'cancelled', None: 'no result'}


@attrs.frozen(kw_only=True)
class Outcome:
    requests: Collection[int]
    results: Mapping[int, int | None]  # of complete requests
    built: Collection[int]  # requests of which a job came to its end
    peaks: Mapping[str, int]  # by lock, as the builds themselves recorded it
    held: Collection[str]  # what is held or waited for when all is done
    killed: str  # a master, '' for none

    def broken(self) -> Iterator[str]:
        """A sentence each."""
        for number in sorted(self.requests):
            if number not in self.results:
                yield f'Request {number} is not complete.'
            elif self.results[number] != 0:
                said = RESULTS.get(self.results[number], f'result {self.results[number]}')
                yield f'Request {number} did not succeed: {said}.'
            elif number not in self.built:
                yield f'Request {number} succeeded, but no job of it ended.'
        peak = self.peaks.get(HOST, 0)
        if peak != PEAK:
            yield f'The builds recorded {peak} at once on the shared host, not {PEAK}.'
        for lock, count in sorted(self.peaks.items()):
            if lock != HOST and count > 1:
                yield f'The builds recorded {count} at once on {lock}, which is exclusive.'
        for one in self.held:
            yield f'When all was done, {one}.'
        if not self.killed:
            yield 'No master was killed.'
