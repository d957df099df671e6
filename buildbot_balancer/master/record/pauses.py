# SPDX-License-Identifier: GPL-2.0-or-later
"""Pauses: builders that start nothing, because a user of the master said so."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping
from typing import Any
from typing import Callable

import attrs


@attrs.frozen(kw_only=True)
class Pause:
    """Times are epoch seconds; `until` None: until somebody ends it."""

    at: float
    reason: str | None = None
    until: float | None = None
    by: str | None = None  # the user


class Pauses:
    """`ended(builder)` is called when a pause is over by the clock; builders are named."""

    def __init__(self, reactor: Any, ended: Callable[[str], None]) -> None:
        self._reactor = reactor
        self._ended = ended
        self._pauses: dict[str, Pause] = {}
        self._loading = False
        self._timer: Any = None

    def get(self, builder: str) -> Pause | None:
        return self._pauses.get(builder) if self.is_paused(builder) else None

    def is_paused(self, builder: str) -> bool:
        pause = self._pauses.get(builder)
        return self._loading or (pause is not None and not self._is_over(pause))

    def hold(self) -> None:
        """Until `load` no builder starts anything, for nobody knows yet what was said."""
        self._loading = True

    def load(self, pauses: Mapping[str, Pause]) -> None:
        """In the place of all that were known."""
        self._loading = False
        self._pauses = dict(pauses)
        self._set_timer()

    def change(self, pauses: Mapping[str, Pause], but: Collection[str]) -> list[str]:
        """Those of other masters, too; returns the builders for which it is another one now.

        What is known of the builders in `but` stays.
        """
        wanted = {name: one for name, one in pauses.items() if not self._is_over(one)}
        changed = [
            name
            for name in {*wanted, *self._pauses} - {*but}
            if wanted.get(name) != self._pauses.get(name)
        ]
        for name in changed:
            if name in wanted:
                self._pauses[name] = wanted[name]
            else:
                del self._pauses[name]
        self._set_timer()
        return sorted(changed)

    def begin(self, builder: str, pause: Pause) -> None:
        self._pauses[builder] = pause
        self._set_timer()

    def end(self, builder: str) -> Pause | None:
        """The pause that is over now; None where there was none."""
        pause = self._pauses.pop(builder, None)
        self._set_timer()
        return pause

    def stop(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _is_over(self, pause: Pause) -> bool:
        return bool(pause.until is not None and pause.until <= self._reactor.seconds())

    def _set_timer(self) -> None:
        self.stop()
        ends = [pause.until for pause in self._pauses.values() if pause.until is not None]
        if ends:
            wait = max(min(ends) - self._reactor.seconds(), 0)
            self._timer = self._reactor.callLater(wait, self._time_passed)

    def _time_passed(self) -> None:
        over = [builder for builder, pause in self._pauses.items() if self._is_over(pause)]
        for builder in over:
            del self._pauses[builder]
        self._set_timer()
        for builder in over:
            self._ended(builder)
