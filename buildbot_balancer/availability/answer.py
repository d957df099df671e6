# SPDX-License-Identifier: GPL-2.0-or-later
"""Answer: what a master tells a reporter."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from buildbot_balancer.availability import wire
from buildbot_balancer.availability.mood import Mood

PREFIX = 'buildbot-balancer: '  # a worker without a reporter only logs the message


@attrs.frozen(kw_only=True)
class Answer:
    """The first one on a connection greets (`seq` -1); one with `serving` false takes leave.

    `free` is a promise: nothing runs on the worker for this master, nothing is about to start,
    and nothing will until a report with a more willing mood arrives. It counts for the report
    `seq` of `incarnation` and all later ones with the same word.
    """

    serving: bool = True
    incarnation: str = ''  # of the reporter that is answered
    seq: int = -1  # the newest report that was heard
    running: int = 0  # builds on this worker, those about to start included
    mood: Mood | None = None  # the mood that the master acts on
    free: bool = False
    left: float | None = None  # seconds until these builds are over, by how long others took

    def to_wire(self) -> str:
        values = attrs.asdict(self)
        values['mood'] = None if self.mood is None else self.mood.label
        return PREFIX + wire.encode(values)

    @classmethod
    def from_wire(cls, text: str) -> Answer:
        """Raises WireError. `text` starts with PREFIX."""
        return cls(**wire.decode(text[len(PREFIX) :], _CHECKS))


_CHECKS: Mapping[str, wire.Check] = {
    'serving': wire.boolean,
    'incarnation': wire.text(64),
    'seq': wire.integer(-1, 2**53),
    'running': wire.integer(0, 2**20),
    'mood': wire.optional(wire.mood),
    'free': wire.boolean,
    'left': wire.optional(wire.number(0, 1e10)),
}
