# SPDX-License-Identifier: GPL-2.0-or-later
"""Decision: the worker that was chosen, or the verdicts that keep the request waiting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from operator import attrgetter
from typing import Any

import attrs

from buildbot_balancer.policy.verdict import Answer
from buildbot_balancer.policy.verdict import Verdict

SHOWN = 5  # workers by name in one line
EACH = 5  # verdicts of one code in memory for each decision
CODES = 20  # codes that are counted apart; a filter of the config may make up any number
BEATEN = 20  # workers that could have taken it too, in memory for each decision
OTHER = 'other'  # the code of all that are not counted apart

_code = attrgetter('code')


@attrs.frozen(kw_only=True)
class Decision:
    """`verdicts` are of workers that were not chosen, the first EACH of each code by name.

    `reasons` counts all of them by code, the commonest first. `at` is epoch seconds; two that say
    the same at different moments are equal.
    """

    request: int
    builder: str
    at: float = attrs.field(eq=False)
    worker: str | None = None
    score: float | None = None  # 0..100
    parts: tuple[tuple[str, float], ...] = ()
    beaten: tuple[tuple[str, float], ...] = ()  # who could have taken it too, best first
    verdicts: Mapping[str, Verdict] = attrs.field(factory=dict)
    reasons: Mapping[str, int] = attrs.field(factory=dict)
    also: Mapping[str, tuple[Verdict, ...]] = attrs.field(factory=dict)  # what else, by worker
    workers: int = 0  # of the builder, those that were not asked included
    able: int = 0  # so many could take it, and nobody has tried
    locks: tuple[tuple[str, str], ...] = ()  # (name, group) of those that it could not have
    never: bool = False  # no worker will ever take it as it is
    stuck: bool = False  # what it waits for waits for it
    note: str = ''  # what concerns the request and no worker in particular

    @classmethod
    def of(cls, verdicts: Mapping[str, Verdict], **values: Any) -> Decision:
        """From all the verdicts, of which a thousand workers have a thousand."""
        reasons = _counted(verdicts)
        workers = max(values.pop('workers', 0), len(verdicts))
        asked_all = len(verdicts) == workers and workers > 0
        return cls(
            verdicts=_kept(verdicts, reasons),
            reasons=reasons,
            workers=workers,
            never=asked_all and all(one.answer is Answer.NEVER for one in verdicts.values()),
            **{**values, 'beaten': values.get('beaten', ())[:BEATEN]},
        )

    @property
    def unasked(self) -> int:
        """Workers that nobody asked, as they take nothing of this builder now."""
        asked = sum(self.reasons.values()) + self.able
        return max(self.workers - asked, 0) if self.worker is None else 0

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
        if not self.reasons and self.workers:
            return f'{self.able} of {self.workers} workers could take it'
        if not self.reasons:
            return 'its builder has no worker'
        summary = ', '.join(f'{count} {code}' for code, count in self.reasons.items())
        return f'0 of {sum(self.reasons.values())} workers: {summary} ({self._others()})'


def _counted(verdicts: Mapping[str, Verdict]) -> dict[str, int]:
    counts = Counter(map(_code, verdicts.values())).most_common()
    if len(counts) <= CODES:
        return dict(counts)
    apart = dict(counts[: CODES - 1])
    apart[OTHER] = apart.get(OTHER, 0) + sum(count for _, count in counts[CODES - 1 :])
    return apart


def _kept(verdicts: Mapping[str, Verdict], reasons: Mapping[str, int]) -> dict[str, Verdict]:
    """Some of each code, so that the one that explains it all is not lost among the common ones."""
    left = {code: min(count, EACH) for code, count in reasons.items()}
    other = OTHER if OTHER in left else ''
    kept: dict[str, Verdict] = {}
    for name in sorted(verdicts):
        verdict = verdicts[name]
        code = verdict.code if verdict.code in reasons else other
        if code not in left:
            continue
        kept[name] = verdict
        left[code] -= 1
        if not left[code]:
            del left[code]
            if not left:
                break
    return kept
