# SPDX-License-Identifier: GPL-2.0-or-later
"""Sight: what the page shows, taken at one moment."""

from __future__ import annotations

import attrs

from buildbot_balancer.reporter.decide import authority
from buildbot_balancer.reporter.page.journal import Entry
from buildbot_balancer.reporter.says import Says
from buildbot_balancer.reporter.status import Status
from buildbot_balancer.reporter.word import NO_WORD
from buildbot_balancer.reporter.word import Word


@attrs.frozen(kw_only=True)
class Sight:
    """`title` is the name of the worker's folder; `status` None: nothing is decided yet."""

    title: str
    now: float
    status: Status | None = None
    word: Word = NO_WORD
    entries: tuple[Entry, ...] = ()

    @property
    def says(self) -> tuple[Says, ...]:
        """Everybody who is asked, in the order of authority."""
        known = () if self.status is None else self.status.authority
        return authority(self.word, self.now, known)
