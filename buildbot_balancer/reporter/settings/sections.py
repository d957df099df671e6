# SPDX-License-Identifier: GPL-2.0-or-later
"""Sections: what can stand in ``availability.toml``, a class each. Times are seconds.

`unknown` is the mood while the machine cannot tell what a section asks for; where the owner
does not say it, it is the one of a busy machine: what is unknown is not eager.
"""

# ruff: noqa: RUF009  `key` makes a field, as attrs.field does

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path as FilePath
from typing import Any

import attrs

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.report import LEAST_INTERVAL
from buildbot_balancer.availability.report import MOST_INTERVAL
from buildbot_balancer.availability.weekdays import ALL
from buildbot_balancer.availability.window import Window
from buildbot_balancer.availability.zone import LOCAL
from buildbot_balancer.availability.zone import Zone
from buildbot_balancer.errors import TimeError
from buildbot_balancer.reporter.settings import values
from buildbot_balancer.reporter.settings.values import Limit

DAY = 86400.0
HOLD = 60.0
CALM = 0.5  # of `busy`, where the owner does not say from where on it is free again
ENOUGH = 1.1  # of `least`
_REQUIRED = object()


def key(check: values.Check, default: Any = _REQUIRED, name: str | None = None) -> Any:
    """A field that is read from the file; `name` where Python does not allow the key's own."""
    metadata = {'check': check, 'name': name}
    return (
        attrs.field(metadata=metadata)
        if default is _REQUIRED
        else attrs.field(default=default, metadata=metadata)
    )


@attrs.frozen(kw_only=True)
class Section:
    """Common to all; `complaints` are (key, sentence) about values that do not go together."""

    def complaints(self) -> Iterator[tuple[str, str]]:
        yield from ()


@attrs.frozen(kw_only=True)
class Measured(Section):
    """`mood`: the one of a machine that is busy, in the section's sense."""

    mood: Mood = key(values.mood, Mood.RELUCTANT)
    hold: float = key(values.duration(0, DAY), HOLD)
    unknown: Mood | None = key(values.mood, None)

    @property
    def when_unknown(self) -> Mood:
        return self.mood if self.unknown is None else self.unknown


@attrs.frozen(kw_only=True)
class Battery(Measured):
    """`below`: percent of the charge from which on it counts; without it at once."""

    mood: Mood = key(values.mood, Mood.OFFLINE)
    below: float | None = key(values.percent, None)


@attrs.frozen(kw_only=True)
class BusyWith(Measured):
    programs: tuple[str, ...] = key(values.programs)


@attrs.frozen(kw_only=True)
class Command(Section):
    run: tuple[str, ...] = key(values.command)
    every: float = key(values.duration(1, DAY), 60.0)
    timeout: float = key(values.duration(1, 60), 10.0)
    hold: float = key(values.duration(0, DAY), HOLD)
    unknown: Mood = key(values.mood, Mood.RELUCTANT)

    @property
    def when_unknown(self) -> Mood:
        return self.unknown


@attrs.frozen(kw_only=True)
class Disk(Measured):
    least: float = key(values.size)
    enough: float | None = key(values.size, None)
    path: FilePath | None = key(values.path, None)
    mood: Mood = key(values.mood, Mood.OFFLINE)

    @property
    def free_again(self) -> float:
        return self.least * ENOUGH if self.enough is None else self.enough

    def complaints(self) -> Iterator[tuple[str, str]]:
        if self.free_again < self.least:
            yield 'enough', 'must not be smaller than least'


@attrs.frozen(kw_only=True)
class Idle(Measured):
    """`mood` once nobody has used the machine `after` seconds long, else `otherwise`."""

    after: float = key(values.duration(1, DAY), name='for')
    mood: Mood = key(values.mood, Mood.EAGER)
    otherwise: Mood = key(values.mood, Mood.RELUCTANT)

    @property
    def when_unknown(self) -> Mood:
        return self.otherwise if self.unknown is None else self.unknown

    def complaints(self) -> Iterator[tuple[str, str]]:
        if self.otherwise >= self.mood:
            yield (
                'otherwise',
                f'must be less willing than mood ({self.mood.label}), or idle time means nothing',
            )


@attrs.frozen(kw_only=True)
class Load(Measured):
    """`busy` and `free`: the load of others than this worker's builds, per CPU."""

    busy: float = key(values.number(0.01, 1000))
    free: float | None = key(values.number(0, 1000), None)

    @property
    def free_again(self) -> float:
        return self.busy * CALM if self.free is None else self.free

    def complaints(self) -> Iterator[tuple[str, str]]:
        if self.free_again >= self.busy:
            yield 'free', f'must be less than busy ({self.busy:g})'


_LIMITS = values.limits(values.percent)


@attrs.frozen(kw_only=True)
class Pressure(Measured):
    """Percent of the last ten seconds in which something had to wait."""

    cpu: Limit | None = key(_LIMITS, None)
    io: Limit | None = key(_LIMITS, None)
    memory: Limit | None = key(_LIMITS, None)

    def limits(self) -> dict[str, tuple[float, float]]:
        """By resource: busy from there on, free again from there on."""
        given = {'cpu': self.cpu, 'io': self.io, 'memory': self.memory}
        return {
            name: (limit[0], limit[0] * CALM if limit[1] is None else limit[1])
            for name, limit in given.items()
            if limit is not None
        }

    def complaints(self) -> Iterator[tuple[str, str]]:
        if not self.limits():
            yield '', 'needs at least one of cpu, io and memory'
        for name, (busy, free) in self.limits().items():
            if free >= busy:
                yield name, f'must have a free that is less than its busy ({busy:g})'


@attrs.frozen(kw_only=True)
class Page(Section):
    """`port`: of 127.0.0.1, where the owner's page is."""

    port: int = key(values.port)


@attrs.frozen(kw_only=True)
class Publish(Section):
    details: bool = key(values.boolean, default=False)


@attrs.frozen(kw_only=True)
class Socket(Section):
    """`group`: whose members may speak through the socket too."""

    group: str | None = key(values.text, None)


@attrs.frozen(kw_only=True)
class Outside(Section):
    mood: Mood = key(values.mood)


@attrs.frozen(kw_only=True)
class WindowKeys(Section):
    days: frozenset[int] = key(values.days, ALL)
    start: timedelta = key(values.clock, name='from')
    end: timedelta = key(values.clock, name='to')
    timezone: Zone = key(values.zone, Zone(LOCAL, None))
    mood: Mood = key(values.mood)

    def window(self) -> Window:
        """Raises TimeError."""
        return Window(self.days, self.start, self.end, timezone=self.timezone, mood=self.mood)

    def complaints(self) -> Iterator[tuple[str, str]]:
        try:
            self.window()
        except TimeError as e:
            yield 'from', f'is wrong: {e}'


@attrs.frozen(kw_only=True)
class Settings(Section):
    """`interval` None: as the call in ``buildbot.tac`` says. A None section is not there."""

    interval: float | None = key(values.duration(LEAST_INTERVAL, MOST_INTERVAL), None)
    owner: str | None = key(values.text, None)
    windows: tuple[Window, ...] = ()
    outside: Mood = Mood.EAGER
    battery: Battery | None = None
    busy_with: BusyWith | None = None
    command: Command | None = None
    disk: Disk | None = None
    idle: Idle | None = None
    load: Load | None = None
    page: Page | None = None
    pressure: Pressure | None = None
    socket: Socket | None = None
    details: bool = False


SECTIONS: dict[str, type[Section]] = {
    'battery': Battery,
    'busy_with': BusyWith,
    'command': Command,
    'disk': Disk,
    'idle': Idle,
    'load': Load,
    'outside': Outside,
    'page': Page,
    'pressure': Pressure,
    'publish': Publish,
    'socket': Socket,
}


def keys(section: type[Section]) -> dict[str, Any]:
    """The keys that the owner can write, and their fields."""
    return {
        field.metadata['name'] or field.name: field
        for field in attrs.fields(section)
        if 'check' in field.metadata
    }
