# SPDX-License-Identifier: GPL-2.0-or-later
"""Any order of operations on one lock: the ledger knows who, since when and for how long."""

from __future__ import annotations

from typing import Any

from buildbot.locks import LockAccess
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.util import eventual
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import initialize
from hypothesis.stateful import invariant
from hypothesis.stateful import precondition
from hypothesis.stateful import rule
from support.lock_actors import settle
from support.lock_ledger import ABuild
from support.lock_ledger import ARequest
from support.lock_ledger import Site
from twisted.internet.task import Clock

from buildbot_balancer.explain.event import HELD
from buildbot_balancer.explain.event import WAITED
from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.locks.group import WorkerGroupLock

WANTS = (('counting', 0), ('counting', 1), ('counting', 1), ('counting', 2), ('exclusive', 1))
MARKS = (' (about to start)', ' (its turn)')
KINDS = (MasterLock, WorkerLock, BranchLock, WorkerGroupLock)


class LedgerMachine(RuleBasedStateMachine):
    """The model keeps who has claimed, reserved and waits, and the time of each."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.clock.advance(1000)
        settle()
        eventual._setReactor(self.clock)
        self.number = 0
        self.held: dict[ABuild, float | None] = {}
        self.kept: dict[ABuild, float] = {}  # their requests have a reservation
        self.waits: dict[ABuild, float | None] = {}
        self.wants: dict[ABuild, LockAccess] = {}
        self.expected: list[tuple[str, int, float]] = []
        self.started = False

    @initialize(kind=st.sampled_from(KINDS), limit=st.integers(1, 3))
    def begin(self, kind: Any, limit: int) -> None:
        self.lockid = kind('l', limit)
        self.site = Site(self.clock)
        self.lock = self.site.lock(self.lockid)

    @precondition(lambda self: not self.started)
    @rule()
    def start(self) -> None:
        """Later than some of what happens: nobody knows since when they hold."""
        self.started = True
        for build in (*self.held, *self.waits):  # Buildbot knows of all that run
            build.workerforbuilder = object()
            self.site.builder.building.append(build)
        self.site.start()
        if self.lockid.lockClass in (MasterLock.lockClass, WorkerLock.lockClass):
            self.held = dict.fromkeys(self.held)
            self.waits = dict.fromkeys(self.waits)

    def teardown(self) -> None:
        settle()
        eventual._setReactor()

    # what happens

    @rule(seconds=st.integers(1, 5))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(want=st.sampled_from(WANTS))
    def come(self, want: Any) -> None:
        build = self.new(want)
        build.number = self.number
        self.claim_or_wait(build)

    @precondition(lambda self: any(one.woken for one in self.waits))
    @rule(index=st.integers(0, 9))
    def look(self, index: int) -> None:
        woken = [one for one in self.waits if one.woken]
        self.claim_or_wait(woken[index % len(woken)])

    @precondition(lambda self: self.waits)
    @rule(index=st.integers(0, 9))
    def stop(self, index: int) -> None:
        build = list(self.waits)[index % len(self.waits)]
        build.stopped = True
        del self.waits[build]
        self.lock.stopWaitingUntilAvailable(build, self.wants[build], build.deferred)

    @precondition(lambda self: self.held)
    @rule(index=st.integers(0, 9))
    def release(self, index: int) -> None:
        build = list(self.held)[index % len(self.held)]
        since = self.held.pop(build)
        self.expect(HELD, build, since)
        for _ in range(2):
            self.lock.release(build, self.wants[build])

    @precondition(lambda self: self.started)
    @rule(want=st.sampled_from(WANTS))
    def reserve(self, want: Any) -> None:
        build = self.new(want)
        request, access = build.requests[0], self.wants[build]
        worker = self.site.workers['w1']
        if not self.site.reservations.reserve(request, 'b', worker, [(self.lock, access)]):
            self.site.reservations.claims(request)  # no sweep takes it for forgotten
            self.kept[build] = self.clock.seconds()

    @precondition(lambda self: self.kept)
    @rule(index=st.integers(0, 9), starts=st.booleans())
    def end_reservation(self, index: int, starts: bool) -> None:
        build = list(self.kept)[index % len(self.kept)]
        del self.kept[build]
        request, reservations = build.requests[0], self.site.reservations
        if not starts:
            reservations.end(request)
            return
        reservation = reservations.begin('b', self.site.workers['w1'], [request])
        reservations.bind(reservation, build)
        self.lock.claim(build, self.wants[build])
        reservations.started(reservation)
        build.number = self.number
        if self.wants[build].count:
            self.held[build] = self.clock.seconds()

    # what must hold

    @invariant()
    def all_that_ended_was_told(self) -> None:
        if self.started:
            told = [(one.kind, one.request, one.duration) for one in self.site.events]
            assert told == self.expected

    @invariant()
    def who_and_since_when_is_known(self) -> None:
        if not self.started:
            return
        seen = self.site.sights.named('l')
        holders = [one for row in seen for one in row.holders]
        waiters = [one for row in seen for one in row.waiters]
        offered = [one for one in holders if one.what.endswith(MARKS[1])]
        reserved = [one for one in holders if one.what.endswith(MARKS[0])]
        held = [one for one in holders if one not in offered and one not in reserved]
        assert shown(held) == self.modelled(self.held)
        assert shown(reserved) == self.modelled(self.kept)
        assert shown([*offered, *waiters]) == self.modelled(self.waits)

    @invariant()
    def held_is_what_nobody_else_can_have(self) -> None:
        for row in self.site.sights.named('l') if self.started else ():
            units = sum(one.count for one in row.holders)
            if any(one.mode == 'exclusive' for one in row.holders):
                units = row.max
            assert row.held == units

    def modelled(self, builds: Any) -> list[tuple[int, Any]]:
        counted = [one for one in builds if self.wants[one].count]
        return sorted((one.requests[0].id, builds[one] or 0) for one in counted)

    def new(self, want: Any) -> ABuild:
        self.number += 1
        build = ABuild(ARequest(self.number))
        self.wants[build] = LockAccess(self.lockid, *want)
        return build

    def claim_or_wait(self, build: ABuild) -> None:
        build.woken = False
        access = self.wants[build]
        if not self.lock.isAvailable(build, access):
            build.deferred = self.lock.waitUntilMaybeAvailable(build, access)
            build.deferred.addCallback(build.wake)
            self.waits.setdefault(build, self.clock.seconds())
            return
        waited = build in self.waits
        self.expect(WAITED, build, self.waits.pop(build) if waited else None)
        self.lock.claim(build, access)
        if access.count:
            self.held[build] = self.clock.seconds()

    def expect(self, kind: str, build: ABuild, since: float | None) -> None:
        if since is not None and self.started:
            self.expected.append((kind, build.requests[0].id, self.clock.seconds() - since))


def shown(shares: Any) -> list[tuple[int, Any]]:
    return sorted((one.buildrequestid, one.since or 0) for one in shares)


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
