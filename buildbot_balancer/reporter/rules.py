# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules: from a measured value to a mood, or None, and why. Each section has one. Pure.

The words are for the machine's owner.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Callable
from typing import Optional

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.when import span_text
from buildbot_balancer.reporter.hold import Threshold
from buildbot_balancer.reporter.measured import Advice
from buildbot_balancer.reporter.measured import IdleTime
from buildbot_balancer.reporter.measured import LoadShare
from buildbot_balancer.reporter.measured import Power
from buildbot_balancer.reporter.settings.sections import Battery
from buildbot_balancer.reporter.settings.sections import BusyWith
from buildbot_balancer.reporter.settings.sections import Command
from buildbot_balancer.reporter.settings.sections import Disk
from buildbot_balancer.reporter.settings.sections import Idle
from buildbot_balancer.reporter.settings.sections import Load
from buildbot_balancer.reporter.settings.sections import Pressure

Finding = tuple[Optional[Mood], str]
Rule = Callable[[Any], Finding]

_SHOWN = 3  # programs, by name
_JUST_NOW = 60.0  # seconds
_UNITS = ('bytes', 'kB', 'MB', 'GB', 'TB')


def battery(section: Battery) -> Rule:
    def rule(power: Power) -> Finding:
        if power.plugged is None:
            return None, 'no battery'
        charge = '' if power.percent is None else f', {power.percent:.0f} %'
        if power.plugged:
            return None, f'plugged in{charge}'
        low = section.below is None or power.percent is None or power.percent < section.below
        return section.mood if low else None, f'on battery{charge}'

    return rule


def busy_with(section: BusyWith) -> Rule:
    def rule(running: Sequence[str]) -> Finding:
        if not running:
            return None, f'none of {len(section.programs)} programs runs'
        more = f' and {len(running) - _SHOWN} more' if len(running) > _SHOWN else ''
        verb = 'runs' if len(running) == 1 else 'run'
        return section.mood, f'{", ".join(running[:_SHOWN])}{more} {verb}'

    return rule


def command(section: Command) -> Rule:
    name = section.run[0].replace('\\', '/').rpartition('/')[2]

    def rule(advice: Advice) -> Finding:
        said = 'nothing' if advice.mood is None else advice.mood.label
        return advice.mood, advice.reason or f'{name} says {said}'

    return rule


def disk(section: Disk) -> Rule:
    full = Threshold(busy=-section.least, free=-section.free_again)

    def rule(free: float) -> Finding:
        crossed = full.look(-free)
        return section.mood if crossed else None, f'{_size(free)} free'

    return rule


def _size(count: float) -> str:
    power = 0
    while count >= 1000 and power < len(_UNITS) - 1:
        count, power = count / 1000, power + 1
    digits = 1 if power and count < 10 else 0
    return f'{count:.{digits}f} {_UNITS[power]}'


def idle(section: Idle) -> Rule:
    def rule(last: IdleTime) -> Finding:
        if last.seconds >= section.after:
            return section.mood, f'{last.what} not used for {span_text(last.seconds)}'
        ago = 'just now' if last.seconds < _JUST_NOW else f'{span_text(last.seconds)} ago'
        return section.otherwise, f'{last.what} used {ago}'

    return rule


def load(section: Load) -> Rule:
    busy = Threshold(busy=section.busy, free=section.free_again)

    def rule(share: LoadShare) -> Finding:
        others = max(share.load - (share.own or 0.0), 0.0)
        whose = 'all' if share.own is None else 'others'
        crossed = busy.look(others)
        return section.mood if crossed else None, f'load {others:.2f} per CPU by {whose}'

    return rule


def pressure(section: Pressure) -> Rule:
    limits = {
        name: Threshold(busy=busy, free=free) for name, (busy, free) in section.limits().items()
    }

    def rule(found: Mapping[str, float]) -> Finding:
        crossed = [name for name, limit in limits.items() if limit.look(found[name])]
        shown = crossed or limits
        words = ', '.join(f'{name} {found[name]:.0f} %' for name in shown)
        return section.mood if crossed else None, f'waits for {words}'

    return rule
