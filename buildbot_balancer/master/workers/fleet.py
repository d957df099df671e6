# SPDX-License-Identifier: GPL-2.0-or-later
"""Fleet: what this master knows of its workers, and whom a change wakes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import Callable

import attrs

from buildbot_balancer.availability.announcement import COMMAND
from buildbot_balancer.availability.announcement import FILE
from buildbot_balancer.availability.announcement import Announcement
from buildbot_balancer.availability.answer import Answer
from buildbot_balancer.availability.cap import Caps
from buildbot_balancer.availability.report import Report
from buildbot_balancer.availability.standing import NO_CAPS
from buildbot_balancer.availability.standing import Heard
from buildbot_balancer.availability.standing import Presence
from buildbot_balancer.availability.standing import Rules
from buildbot_balancer.availability.standing import Standing
from buildbot_balancer.availability.standing import conclude
from buildbot_balancer.errors import WireError
from buildbot_balancer.log import say
from buildbot_balancer.master import compat
from buildbot_balancer.master.workers.builds import Builds
from buildbot_balancer.master.workers.loads import Loads
from buildbot_balancer.master.workers.order import Order

WILLING = 'willing'  # it may take builds now that it did not take before
GONE = 'gone'  # it takes no builds any more
LOST = 'lost'  # its connection is lost
COUNTED = 'counted'  # the number of its builds is another one
LOAD = 'load'  # what others make of load on its machine is less, or known now
FACTS = 'facts'  # it says of itself something else than before
HEARD = 'heard'  # a report came, whatever it says
ATTACHED = 'attached'  # its connection is up
_NONE = -1  # less than any mood


@attrs.define(eq=False)
class _Entry:
    """One worker, by name; what it says of itself outlives its connection."""

    heard: Heard | None = None
    order: Order = attrs.field(factory=Order)
    connection: Any = None  # the one that `attached_at` and `announcement` are of
    attached_at: float | None = None
    announcement: Announcement | None = None
    heard_on: Any = None  # the connection that brought the last report
    timer: Any = None
    refuses: bool | None = None  # kept until something changes, or `refuses_until`
    refuses_until: float | None = None
    refuses_on: Any = None
    seen: set[int] = attrs.field(factory=set)  # how willing it was since WILLING or GONE


class Fleet:
    """`told(event, worker)` is called with one of WILLING, GONE, LOST, COUNTED, LOAD, FACTS,
    HEARD and ATTACHED.

    `caps_of(name, now)`: what keeps its mood down from the master's side; `left_of(name)`: seconds
    until its builds are over.
    """

    def __init__(
        self,
        master: Any,
        reactor: Any,
        rules: Rules,
        told: Callable[[str, Any], None],
    ) -> None:
        self._master = master
        self._reactor = reactor
        self._rules = rules
        self._told = told
        self._entries: dict[str, _Entry] = {}
        self._stopped = False
        self.caps_of: Callable[[str, float], Caps] = _no_caps
        self.left_of: Callable[[str], float | None] = _not_known
        self.builds = Builds()
        self.loads = Loads(self.builds, self._standing_of)

    def set_rules(self, rules: Rules) -> None:
        self._rules = rules
        for entry in self._entries.values():
            entry.refuses = None

    def stop(self) -> None:
        self._stopped = True
        for entry in self._entries.values():
            _cancel(entry)

    def keep_only(self, names: set[str]) -> None:
        """Forgets workers that left the config."""
        for name in set(self._entries) - names:
            _cancel(self._entries.pop(name))
            self.loads.place(name, None)

    # what the workers say

    def attached(self, worker: Any, connection: Any) -> bool:
        """A connection is up; True where its worker announces a reporter."""
        entry = self._entry(worker)
        if entry.connection is not connection:
            entry.connection = connection
            entry.attached_at = self._reactor.seconds()
            entry.announcement = _announcement(worker, connection)
        self._settle(worker, entry)
        self._told(ATTACHED, worker)
        return _announces(worker)

    def detached(self, worker: Any) -> None:
        """The connection is lost."""
        self._told(LOST, worker)

    def hear(self, worker: Any, connection: Any, payload: Any) -> Report | None:
        """Takes a report in; None for one that is older than what is known.

        Raises WireError for one that cannot be used; nothing has changed then.
        """
        report = Report.from_wire(payload)
        entry = self._entry(worker)
        if not entry.order.accepts(report.incarnation, report.seq):
            return None
        before = self.standing(worker)
        foreign = self._foreign(worker, report.host)
        entry.heard = Heard(report=report, at=self._reactor.seconds())
        entry.heard_on = connection
        self.loads.place(worker.workername, report.host)
        after = self._settle(worker, entry)
        self._tell_mood(worker, before, after)
        if before.facts != after.facts:
            self._told(FACTS, worker)
        for name, load in self._foreign(worker, report.host).items():
            if load is not None and _falls(foreign.get(name), load):
                self._told(LOAD, compat.worker_named(self._master, name))
        self._told(HEARD, worker)
        return report

    def change_caps(self, worker: Any, change: Callable[[], None]) -> None:
        """`change()` makes `caps_of` say something else about this worker."""
        before = self.standing(worker)
        change()
        self._tell_mood(worker, before, self._settle(worker, self._entry(worker)))

    def _tell_mood(self, worker: Any, before: Standing, after: Standing) -> None:
        self._entry(worker).seen = {_willingness(after)}
        if not after.refuses and (before.refuses or after.mood > before.mood):
            self._told(WILLING, worker)
        elif before.mood.starts_builds and not after.mood.starts_builds:
            self._told(GONE, worker)

    def heard_of(self, worker: Any) -> Heard | None:
        """Its last report, where that came over the connection that there is."""
        entry = self._entry(worker)
        here = worker.conn is not None and entry.heard_on is worker.conn
        return entry.heard if here else None

    def answer(self, worker: Any) -> Answer:
        """What the reporter of `worker` is told now."""
        entry = self._entry(worker)
        standing = self.standing(worker)
        heard_no = entry.heard_on is worker.conn and not standing.owners_mood.starts_builds
        running = standing.presence.running
        report = entry.heard.report if entry.heard is not None else None
        return Answer(
            incarnation=report.incarnation if report is not None else '',
            seq=report.seq if report is not None else -1,
            running=running,
            mood=standing.mood,
            free=heard_no and running == 0,
            left=self.left_of(worker.workername) if running else None,
        )

    # what Buildbot does

    def build_started(self, worker: Any) -> None:
        self._told(COUNTED, worker)

    def build_finished(self, worker: Any) -> None:
        self._told(COUNTED, worker)

    # what follows from it

    def standing(self, worker: Any) -> Standing:
        name = worker.workername
        entry = self._entry(worker)
        presence = self._presence(worker, entry)
        now = self._reactor.seconds()
        return conclude(name, entry.heard, presence, now, self._rules, self.caps_of(name, now))

    def refuses(self, worker: Any) -> bool:
        """No build may start there now. Asked for each place in each pass, so it is kept."""
        entry = self._entry(worker)
        now = self._reactor.seconds()
        known = entry.refuses
        over = entry.refuses_until is not None and now >= entry.refuses_until
        if known is None or over or entry.refuses_on is not worker.conn:
            known = self._settle(worker, entry).refuses
        return known

    def _standing_of(self, name: str) -> Standing | None:
        worker = compat.worker_named(self._master, name)
        return None if worker is None else self.standing(worker)

    def _foreign(self, worker: Any, host: str | None) -> dict[str, float | None]:
        """Foreign load by name, of all workers on this machine."""
        names = self.loads.machine(worker.workername) | self.loads.on_host(host)
        standings = [self._standing_of(name) for name in names]
        return {one.name: self.loads.foreign(one) for one in standings if one is not None}

    def _entry(self, worker: Any) -> _Entry:
        return self._entries.setdefault(worker.workername, _Entry())

    def _presence(self, worker: Any, entry: _Entry) -> Presence:
        connection = worker.conn
        if connection is not None and entry.connection is not connection:
            # a chooser asks before the event of the new connection has come
            entry.connection = connection
            entry.attached_at = self._reactor.seconds()
            entry.announcement = _announcement(worker, connection)
        return Presence(
            connected=connection is not None,
            paused=compat.is_paused(worker),
            graceful=compat.is_graceful(worker),
            quarantined=compat.is_quarantined(worker),
            latent=compat.is_latent(worker),
            running=self.builds.count(worker.workername),
            max_builds=worker.max_builds,
            attached_at=entry.attached_at,
            announced=connection is not None and _announces(worker),
            announcement=entry.announcement,
            heard=connection is not None and entry.heard_on is connection,
        )

    def _settle(self, worker: Any, entry: _Entry) -> Standing:
        """Keeps the answer to `refuses`, and looks again when the time alone changes it."""
        standing = self.standing(worker)
        entry.refuses = standing.refuses
        entry.refuses_until = standing.changes_at
        entry.refuses_on = worker.conn
        _cancel(entry)
        entry.seen.add(_willingness(standing))
        at = None
        if len(entry.seen) > 1:  # who was given the other answer is told
            at = self._reactor.seconds()
        elif standing.refuses or self.caps_of is not _no_caps:
            at = standing.changes_at
        if at is not None and not self._stopped:
            wait = max(at - self._reactor.seconds(), 0)
            entry.timer = self._reactor.callLater(wait, self._time_passed, worker)
        return standing

    def _time_passed(self, worker: Any) -> None:
        entry = self._entry(worker)
        entry.timer = None
        seen, entry.seen = entry.seen, set()
        after = self._settle(worker, entry)
        if not after.refuses and any(one < _willingness(after) for one in seen):
            self._told(WILLING, worker)
        elif max(seen, default=_NONE) > _NONE and not after.mood.starts_builds:
            self._told(GONE, worker)


def _not_known(name: str) -> float | None:  # noqa: ARG001
    return None


def _no_caps(name: str, now: float) -> Caps:  # noqa: ARG001
    return NO_CAPS


def _willingness(standing: Standing) -> int:
    return _NONE if standing.refuses else int(standing.mood)


def _cancel(entry: _Entry) -> None:
    if entry.timer is not None and entry.timer.active():
        entry.timer.cancel()
    entry.timer = None


def _falls(before: float | None, after: float) -> bool:
    return before is None or after < before


def _announces(worker: Any) -> bool:
    # what a worker says may be of any type
    return isinstance(worker.worker_commands, Mapping) and COMMAND in worker.worker_commands


def _announcement(worker: Any, connection: Any) -> Announcement | None:
    """The owner's word in the info file, which Buildbot read while the worker attached."""
    info = getattr(connection, 'info', None) or {}
    text = info.get(FILE)
    if text is None or not _announces(worker):
        return None
    try:
        return Announcement.from_wire(text)
    except WireError as e:
        say(f'worker {worker.workername}: its info/{FILE} is ignored: {e}')
        return None
