# SPDX-License-Identifier: GPL-2.0-or-later
"""Announcement: that a worker has a reporter, and its owner's word, told while it attaches.

It stands in ``BASEDIR/info/balancer``, which Buildbot reads at each attach. It counts only
together with COMMAND among the worker's commands, which is there only while a reporter is:
a file that an uninstalled package left behind says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from buildbot_balancer.availability import wire
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.report import REASON_LIMIT

COMMAND = 'buildbot_balancer'  # beside Buildbot's own names in worker_commands
FILE = 'balancer'  # in BASEDIR/info


@attrs.frozen(kw_only=True)
class Announcement:
    version: str = ''  # of the package on the worker
    mood: Mood | None = None  # the owner's word; None: it is left to the machine
    reason: str | None = None
    until: float | None = None  # epoch seconds
    word: str = ''
    draining: bool = False

    def to_wire(self) -> str:
        values = attrs.asdict(self)
        values['mood'] = None if self.mood is None else self.mood.label
        return wire.encode(values)

    @classmethod
    def from_wire(cls, text: Any) -> Announcement:
        """Raises WireError."""
        return cls(**wire.decode(text, _CHECKS))


_CHECKS: Mapping[str, wire.Check] = {
    'version': wire.text(64),
    'mood': wire.optional(wire.mood),
    'reason': wire.optional(wire.text(REASON_LIMIT)),
    'until': wire.optional(wire.number(0, 1e11)),
    'word': wire.text(64),
    'draining': wire.boolean,
}
