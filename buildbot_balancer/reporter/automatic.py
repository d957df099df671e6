# SPDX-License-Identifier: GPL-2.0-or-later
"""Automatic: what the machine says of itself by the owner's settings, while its owner says nothing.

Puts together the file, the probes that it asks for and the judges of what they say.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import Callable

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.reporter import says
from buildbot_balancer.reporter.judges import LEAST_STALE_AFTER
from buildbot_balancer.reporter.judges import Bench
from buildbot_balancer.reporter.measured import LoadShare
from buildbot_balancer.reporter.measured import Reading
from buildbot_balancer.reporter.probes.idle.use import Source
from buildbot_balancer.reporter.probes.wanted import senses
from buildbot_balancer.reporter.says import Says
from buildbot_balancer.reporter.senses import RunInThread
from buildbot_balancer.reporter.senses import Senses
from buildbot_balancer.reporter.settings import store
from buildbot_balancer.reporter.settings.sections import Settings
from buildbot_balancer.reporter.settings.watch import NOTHING
from buildbot_balancer.reporter.settings.watch import Watch

BROKEN = Says(says.SETTINGS, Mood.OFFLINE, f'{store.FILE} has errors, and no good one is known')
_ALIKE = (says.BATTERY, says.IDLE, says.LOAD)  # measured alike, whatever the owner asks for


class Automatic:
    """`interval`: seconds between two heartbeats, where the file names none; `steady`: seconds of
    a clock that never steps; `told` is called when a probe has answered.
    """

    def __init__(
        self,
        basedir: Path,
        interval: float,
        run: RunInThread,
        steady: Callable[[], float],
        told: Callable[[], None],
        also: Sequence[Source] = (),
    ) -> None:
        self._basedir = basedir
        self._also = also  # what sees input beside the platform's own means
        self._interval = interval
        self._run = run
        self._steady = steady
        self._told = told
        self._watch = Watch(basedir)
        self.open()

    @property
    def settings(self) -> Settings:
        return self._watch.settings or NOTHING

    @property
    def interval(self) -> float:
        return self.settings.interval or self._interval

    @property
    def group(self) -> str | None:
        """Whose members may speak through the socket."""
        return None if self.settings.socket is None else self.settings.socket.group

    @property
    def problem(self) -> str | None:
        return self._watch.problem

    @property
    def idle(self) -> float | None:
        """Seconds since somebody used the machine, where that is asked for and known."""
        reading = self._senses.readings.get(says.IDLE, Reading())
        old = self._steady() - reading.at > LEAST_STALE_AFTER
        return None if reading.value is None or old else float(reading.value.seconds)

    def look(self, now: float) -> bool:
        """At the file, and at what is due; True where other settings count now."""
        new = self._watch.look()
        if new:
            self._change()
        self._senses.ask(now)
        return new

    def measured(self, values: Mapping[str, Any]) -> None:
        """What the sampler says; {} where nothing is known."""
        load = values.get('load')
        share = None if load is None else LoadShare(load=load, own=values.get('own'))
        if self.settings.load is not None:
            self._senses.heard(says.LOAD, share)

    def says(self, now: float) -> tuple[Says, ...]:
        """In the order of authority. `now`: epoch seconds."""
        if self._watch.settings is None:
            return (BROKEN,)
        return self._bench.judge(self._senses.readings, self._steady(), now)

    def published(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Fields of the report; `values`: what the sampler says."""
        fields: dict[str, Any] = {}
        if self.settings.owner is not None:
            fields['facts'] = {**values.get('facts', {}), 'owner': self.settings.owner}
        if self.settings.details:
            fields['idle'] = self.idle
        return fields

    def open(self) -> None:
        """Also once more, after `close`."""
        self._begin(self.settings, {}, None)

    def close(self) -> None:
        self._senses.close()

    def _begin(self, settings: Settings, known: Mapping[str, Reading], bench: Bench | None) -> None:
        self._begun = settings
        self._bench = Bench(settings, self.interval, bench)
        self._senses = Senses(
            senses(settings, self._basedir, self._also), self._run, self._steady, self._told, known
        )

    def _change(self) -> None:
        """What is asked for as before is known still, so that a new file makes no mood flap."""
        before, now = self._begun, self.settings
        known = {
            source: reading
            for source, reading in self._senses.readings.items()
            if source in _ALIKE or _section(before, source) == _section(now, source)
        }
        self._senses.close()
        self._begin(now, known, self._bench)


def _section(settings: Settings, source: str) -> Any:
    return getattr(settings, source.replace('-', '_'))
