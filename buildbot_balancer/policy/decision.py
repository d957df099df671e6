# SPDX-License-Identifier: GPL-2.0-or-later
"""Decision: the worker that was chosen, or the verdicts that keep the request waiting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import attrs

from buildbot_balancer.policy.verdict import Verdict

SHOWN = 5  # workers by name in one line
KEPT = 20  # verdicts in memory for each decision


@attrs.frozen(kw_only=True)
class Decision:
    """`verdicts` are of workers that were not chosen, by name; at most KEPT of them are kept.

    `reasons` counts all of them by code. `at` is epoch seconds.
    """

    request: int
    builder: str
    at: float
    worker: str | None = None
    score: float | None = None  # 0..100
    parts: tuple[tuple[str, float], ...] = ()
    beaten: tuple[tuple[str, float], ...] = ()  # who could have taken it too, best first
    verdicts: Mapping[str, Verdict] = attrs.field(factory=dict)
    reasons: Mapping[str, int] = attrs.field(factory=dict)
    note: str = ''  # what concerns the request and no worker in particular

    @classmethod
    def of(cls, verdicts: Mapping[str, Verdict], **values: Any) -> Decision:
        """From all the verdicts, of which a thousand workers have a thousand."""
        kept = sorted(verdicts)[:KEPT]
        return cls(
            verdicts={name: verdicts[name] for name in kept},
            reasons=dict(Counter(verdict.code for verdict in verdicts.values())),
            **{**values, 'beaten': values.get('beaten', ())[:KEPT]},
        )

    @property
    def sentence(self) -> str:
        """In one line for the log."""
        if self.worker is None:
            why = self.note or self._why_not()
            return f'request {self.request} of {self.builder} waits: {why}'
        parts = ', '.join(f'{name} {score:.0f}' for name, score in self.parts)
        beaten = ', '.join(f'{name} {score:.0f}' for name, score in self.beaten[:SHOWN])
        before = f'; before {beaten}' if beaten else ''
        best = f' (score {self.score:.0f}: {parts}{before})' if self.score is not None else ''
        others = f'; {self._others()}' if self.verdicts else ''
        return f'request {self.request} of {self.builder} starts on {self.worker}{best}{others}'

    def _others(self) -> str:
        shown = [f'{name} {v.sentence}' for name, v in sorted(self.verdicts.items())[:SHOWN]]
        more = sum(self.reasons.values()) - len(shown)
        return '; '.join(shown) + (f'; and {more} more' if more > 0 else '')

    def _why_not(self) -> str:
        if not self.reasons:
            return 'its builder has no worker'
        counts = Counter(self.reasons).most_common()
        summary = ', '.join(f'{count} {code}' for code, count in counts)
        return f'0 of {sum(self.reasons.values())} workers: {summary} ({self._others()})'
