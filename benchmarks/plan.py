# SPDX-License-Identifier: GPL-2.0-or-later
"""Plan: what one process measures; it goes there as JSON."""

from __future__ import annotations

import json

import attrs

from benchmarks.size import Size

STOCK = 'stock'
BALANCER = 'balancer'
SIDES = (STOCK, BALANCER)

FLOOR = 'floor'
DRAIN = 'drain'
CALM = 'calm'
EVENTS = 'events'
MOOD = 'mood'
MEMORY = 'memory'
REPORTER = 'reporter'
SHARED = 'shared'
PREPARE = 'prepare'  # no measurement: the database for the others
SCENARIOS = (DRAIN, FLOOR, CALM, EVENTS, MOOD, MEMORY, REPORTER, SHARED)


@attrs.frozen(kw_only=True)
class Plan:
    scenario: str
    size: Size
    side: str = STOCK
    masters: int = 1  # on one database
    warmup: int = 20  # starts that are not counted
    starts: int = 100  # starts that are
    seconds: float = 60.0  # no measured phase is longer
    build: float = 0.05  # seconds that a build keeps its worker busy
    seed: int = 1
    profile: str | None = None  # the file that cProfile writes

    def to_json(self) -> str:
        return json.dumps(attrs.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        values = json.loads(text)
        return cls(**{**values, 'size': Size(**values['size'])})

    def __str__(self) -> str:
        masters = f' {self.masters} masters' if self.masters > 1 else ''
        return f'{self.scenario} {self.size} {self.side}{masters}'
