# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts from inside steps how many units of each lock are in use, whatever the locks say."""

from __future__ import annotations

from typing import Callable

import attrs
from twisted.internet import defer


@attrs.frozen
class Taking:
    """What a build, or its step, takes: `units` of one lock, or all of it."""

    key: str
    units: int = 1
    exclusive: bool = False


@attrs.define
class _Limit:
    until: float  # the moment at which the next one replaced it
    units: int


@attrs.define
class _Gauge:
    limits: list[_Limit]
    units: int = 0
    alone: int = 0
    peak: int = 0

    @property
    def limit(self) -> int:
        return self.limits[-1].units

    def bound(self, since: float) -> int:
        """The largest limit in force from then to now."""
        return max(one.units for one in self.limits if one.until >= since)


class Meter:
    """`clock` tells the time in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._gauges: dict[str, _Gauge] = {}
        self._waiting: list[tuple[list[str], defer.Deferred[None]]] = []
        self.violations: list[str] = []

    def limit(self, key: str, units: int) -> None:
        """From now on; who was chosen under the old one may still come."""
        gauge = self._gauges.setdefault(key, _Gauge([]))
        if gauge.limits:
            gauge.limits[-1].until = self._clock()
        gauge.limits.append(_Limit(float('inf'), units))

    def enter(self, who: str, takings: list[Taking], chosen_at: float) -> None:
        for taking in takings:
            gauge = self._gauges[taking.key]
            if taking.exclusive:
                gauge.alone += 1
            else:
                gauge.units += taking.units
            gauge.peak = max(gauge.peak, gauge.units)
            self._judge(who, taking, gauge, gauge.bound(chosen_at))
        for keys, full in list(self._waiting):
            if not self.not_yet_full(keys) and not full.called:
                full.callback(None)

    def _judge(self, who: str, taking: Taking, gauge: _Gauge, bound: int) -> None:
        if gauge.alone > 1 or (gauge.alone and gauge.units):
            self.violations.append(
                f'{who}: {taking.key} has {gauge.alone} alone beside {gauge.units} units'
            )
        elif gauge.units > bound:
            self.violations.append(f'{who}: {taking.key} has {gauge.units} units of {bound}')

    def leave(self, takings: list[Taking]) -> None:
        for taking in takings:
            gauge = self._gauges[taking.key]
            if taking.exclusive:
                gauge.alone -= 1
            else:
                gauge.units -= taking.units

    def not_yet_full(self, keys: list[str]) -> list[str]:
        """Those that never were at their present limit."""
        return [key for key in keys if self._gauges[key].peak < self._gauges[key].limit]

    def until_full(self, keys: list[str]) -> defer.Deferred[None]:
        """Fires when each of them was at its limit once; cancel it to give up."""
        full: defer.Deferred[None] = defer.Deferred()
        entry = (keys, full)
        self._waiting.append(entry)

        def done(result: None) -> None:
            self._waiting.remove(entry)
            return result

        full.addBoth(done)
        if not self.not_yet_full(keys):
            full.callback(None)
        return full

    def forget_peaks(self) -> None:
        for gauge in self._gauges.values():
            gauge.peak = gauge.units

    def peaks(self) -> dict[str, tuple[int, int]]:
        """(peak, limit) of each lock; the limit is the last one."""
        return {key: (one.peak, one.limit) for key, one in sorted(self._gauges.items())}

    def in_use(self) -> dict[str, int]:
        counted = {key: one.units + one.alone for key, one in self._gauges.items()}
        return {key: units for key, units in counted.items() if units}
