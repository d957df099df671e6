# SPDX-License-Identifier: GPL-2.0-or-later
"""IdleProbe: the time since anybody used the machine, from all that can be asked."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Callable

from zope.interface import implementer

from buildbot_balancer.availability.text import describe
from buildbot_balancer.interfaces import IProbe
from buildbot_balancer.reporter.measured import IdleTime
from buildbot_balancer.reporter.probes.idle.use import Source
from buildbot_balancer.reporter.probes.idle.use import Use
from buildbot_balancer.reporter.probes.unknown import UnknownError

NOBODY = 'machine'


@implementer(IProbe)
class IdleProbe:
    """`steady`: seconds of a clock that never steps and begins with the machine's start.

    The latest use of all counts. It is unknown unless somebody has looked at the screens: a
    terminal that nobody uses says nothing of them.
    """

    name = 'idle'

    def __init__(self, sources: Iterable[Source], steady: Callable[[], float]) -> None:
        self._sources = tuple(sources)
        self._steady = steady
        self._last = (0.0, NOBODY)

    def sample(self, now: float) -> IdleTime:
        uses: list[Use] = []
        tried: list[str] = []
        sees_screens = False
        for source in self._sources:
            try:
                uses += source.look(now)
            except UnknownError as e:
                tried.append(f'{source.name} ({e})')
            except Exception as e:
                tried.append(f'{source.name} ({describe(e, 60)})')
            else:
                sees_screens = sees_screens or source.sees_screens
        if not sees_screens:
            raise UnknownError(f'tried {", ".join(tried) or "nothing"}')
        return self._latest(uses)

    def _latest(self, uses: Sequence[Use]) -> IdleTime:
        steady = self._steady()
        known = {use.display for use in uses if use.display and not use.guess}
        for use in uses:
            if not use.guess:
                # who has logged out since then has used it all the same
                self._last = max(self._last, (steady - max(use.seconds, 0.0), use.what))
        at, what = self._last
        for use in uses:
            if use.guess and use.display not in known:
                at, what = max((at, what), (steady - max(use.seconds, 0.0), use.what))
        return IdleTime(seconds=max(steady - at, 0.0), what=what)
