# SPDX-License-Identifier: GPL-2.0-or-later
"""Report: what a worker says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import Callable

import attrs

from buildbot_balancer.availability import wire
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.errors import WireError

REASON_LIMIT = 200  # characters of an owner's reason
LEAST_INTERVAL = 0.1  # seconds between two heartbeats
MOST_INTERVAL = 3600.0


@attrs.frozen(kw_only=True)
class Report:
    """One state of one worker. None means unknown, never zero."""

    incarnation: str  # of the reporter: a new one at each start
    seq: int  # rises with each report of one incarnation
    mood: Mood
    source: str = 'default'  # who decided: owner, drain, default, ...
    reason: str | None = None  # as the owner typed it
    until: float | None = None  # epoch seconds; the owner's word ends then
    word: str = ''  # id of the owner's word that this report has seen
    draining: bool = False
    deadline: float | None = None  # seconds until builds that still run are to be stopped
    interval: float = 10.0  # seconds between two heartbeats
    load: float | None = None  # 1-minute load average, per CPU
    own: float | None = None  # the part of it that this worker's own builds make, per CPU
    cpu: float | None = None  # share of all CPUs in use, 0..1
    memory: float | None = None  # share of memory in use, 0..1
    cpus: int | None = None
    host: str | None = None  # the same for all workers on one machine; tells nothing else
    idle: float | None = None  # seconds since a person used the machine
    commands: int | None = None  # commands of builds that run on the worker now
    facts: Mapping[str, wire.Fact] = attrs.field(factory=dict)  # what the machine has

    def to_wire(self) -> str:
        values = attrs.asdict(self)
        values['mood'] = self.mood.label
        return wire.encode(values)

    @classmethod
    def usable(cls, values: Mapping[str, Any], unusable: Callable[[str], None]) -> dict[str, Any]:
        """The measured values that a master would take; `unusable` is told of each other one.

        One bad number must not keep the owner's word from being heard.
        """
        good = {}
        for name, value in values.items():
            try:
                good[name] = _CHECKS[name](name, value)
            except (KeyError, WireError) as e:
                unusable(str(e))
        return good

    @classmethod
    def from_wire(cls, text: Any) -> Report:
        """Raises WireError, which names the field at fault."""
        return cls(**wire.decode(text, _CHECKS))


_share = wire.optional(wire.number(0, 1))
_per_cpu = wire.optional(wire.number(0, 1e6))

_CHECKS: Mapping[str, wire.Check] = {
    'incarnation': wire.text(64),
    'seq': wire.integer(0, 2**53),
    'mood': wire.mood,
    'source': wire.text(64),
    'reason': wire.optional(wire.text(REASON_LIMIT)),
    'until': wire.optional(wire.number(0, 1e11)),
    'word': wire.text(64),
    'draining': wire.boolean,
    'deadline': wire.optional(wire.number(0, 1e10)),
    'interval': wire.number(LEAST_INTERVAL, MOST_INTERVAL),
    'load': _per_cpu,
    'own': _per_cpu,
    'cpu': _share,
    'memory': _share,
    'cpus': wire.optional(wire.integer(1, 2**16)),
    'host': wire.optional(wire.text(64)),
    'idle': wire.optional(wire.number(0, 1e10)),
    'commands': wire.optional(wire.integer(0, 2**20)),
    'facts': wire.facts,
}
