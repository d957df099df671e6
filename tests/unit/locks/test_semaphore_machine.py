# SPDX-License-Identifier: GPL-2.0-or-later
"""Any order of operations on a semaphore."""

from __future__ import annotations

from typing import Any

from buildbot.locks import LockAccess
from buildbot.locks import MasterLock
from buildbot.process.buildrequest import BuildRequest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import initialize
from hypothesis.stateful import invariant
from hypothesis.stateful import precondition
from hypothesis.stateful import rule

from buildbot_balancer.locks import semaphore as semaphore_module
from buildbot_balancer.locks.picture import Picture
from buildbot_balancer.locks.semaphore import Semaphore
from buildbot_balancer.locks.turns import Turns

LOCK = MasterLock('l')
ACCESSES = [LockAccess(LOCK, 'counting', n) for n in (0, 1, 1, 2, 3, 5)]
ACCESSES.append(LockAccess(LOCK, 'exclusive'))
PRIORITIES = (0, 1, 2)


class Someone:
    """A build or a step; `request`: one that waits without a worker."""

    def __init__(self, access: LockAccess, arrival: int) -> None:
        self.access = access
        self.arrival = arrival
        self.stopped = False
        self.woken = False
        self.deferred: Any = None

    def wake(self, _: Any) -> None:
        self.woken = True


class Pending(Someone, BuildRequest):
    def __init__(self, access: LockAccess, arrival: int, priority: int) -> None:
        super().__init__(access, arrival)
        self.id, self.priority = arrival, priority  # a request's turn is that of its number


class Quiet(Pending):
    """One that was lined up: nothing but what the subscribers hear tells it of its turn."""

    def __init__(self, access: LockAccess, arrival: int, priority: int) -> None:
        super().__init__(access, arrival, priority)
        self.heard = 0  # deliveries until it looked last


def rank(someone: Someone) -> tuple[bool, int]:
    """What runs comes before pending requests, and then who came first."""
    return isinstance(someone, Pending), someone.arrival


class SemaphoreMachine(RuleBasedStateMachine):
    """The model knows who holds, who waits and who reserved, and nothing of how it is done."""

    order = 'fifo'

    def __init__(self) -> None:
        super().__init__()
        self.turn: list[Any] = []  # the eventual queue, run when the machine says so
        self.stock = semaphore_module.eventually
        semaphore_module.eventually = lambda call, *args: self.turn.append((call, args))
        self.holders: list[Someone] = []
        self.waiters: list[Someone] = []
        self.reserved: list[Someone] = []
        self.lined_up: list[Quiet] = []
        self.stepped_out: list[Quiet] = []
        self.deliveries = 0
        self.offered_before: set[int] = set()
        self.arrivals = 0
        self.seconds = 0.0

    @initialize(limit=st.sampled_from([0, 1, 2, 3, 5, None]))
    def begin(self, limit: int | None) -> None:
        turns = Turns(self.order, 10.0, lambda: self.seconds)
        self.lock = Semaphore('l', limit, turns)
        self.lock.subscribeToReleases(self.delivered)

    def delivered(self) -> None:
        self.deliveries += 1

    def teardown(self) -> None:
        """When all is quiet nothing is held."""
        try:
            if hasattr(self, 'lock'):
                self.quiet()
        finally:
            semaphore_module.eventually = self.stock

    def quiet(self) -> None:
        for _ in range(1000):
            self.run_all()
            if self.holders:
                self.release(0)
            elif any(one.woken for one in self.waiters):
                self.look(0)
            elif self.reserved:
                self.give_up(0)
            elif any(self.lock.is_offered(one) for one in self.lined_up):
                offered = [self.lock.is_offered(one) for one in self.lined_up]
                self.start_or_step_out(offered.index(True), start=True)
            elif self.lined_up:  # as below
                assert self.lock.never(self.lined_up[0].access)
                self.start_or_step_out(0)
            elif self.waiters:  # only who can never be served is left
                assert all(self.lock.never(one.access) for one in self.waiters)
                self.stop(0)
            else:
                break
        picture = self.lock.picture()
        assert self.lock.idle
        assert picture == Picture('l', self.lock.maxCount, (), (), (), ())
        assert self.lock.isAvailable(None, LockAccess(LOCK, 'exclusive'))

    def run_all(self) -> None:
        while self.turn:
            self.run_one()

    # what happens

    @rule(
        access=st.sampled_from(ACCESSES),
        pending=st.booleans(),
        priority=st.sampled_from(PRIORITIES),
    )
    def come(self, access: LockAccess, pending: bool, priority: int) -> None:
        """As Buildbot does: claims at once where that is possible, and waits otherwise."""
        self.arrivals += 1
        someone: Someone = (
            Pending(access, self.arrivals, priority) if pending else Someone(access, self.arrivals)
        )
        self.claim_or_wait(someone)

    @precondition(lambda self: self.turn)
    @rule()
    def run_one(self) -> None:
        call, args = self.turn.pop(0)
        call(*args)

    @precondition(lambda self: any(one.woken for one in self.waiters))
    @rule(index=st.integers(0, 20))
    def look(self, index: int) -> None:
        """One that was woken looks, sooner or later."""
        woken = [one for one in self.waiters if one.woken]
        someone = woken[index % len(woken)]
        self.waiters.remove(someone)
        self.claim_or_wait(someone)

    @precondition(lambda self: self.holders)
    @rule(index=st.integers(0, 20))
    def release(self, index: int) -> None:
        someone = self.holders.pop(index % len(self.holders))
        self.lock.release(someone, someone.access)
        self.lock.release(someone, someone.access)

    @precondition(lambda self: self.waiters)
    @rule(index=st.integers(0, 20))
    def stop(self, index: int) -> None:
        someone = self.waiters.pop(index % len(self.waiters))
        someone.stopped = True
        self.lock.stopWaitingUntilAvailable(someone, someone.access, someone.deferred)
        self.lock.stopWaitingUntilAvailable(someone, someone.access, someone.deferred)

    @rule(limit=st.sampled_from([0, 1, 2, 3, 5, None]))
    def change_limit(self, limit: int | None) -> None:
        self.lock.setMaxCount(limit)

    @rule(access=st.sampled_from(ACCESSES), priority=st.sampled_from(PRIORITIES))
    def reserve(self, access: LockAccess, priority: int) -> None:
        self.arrivals += 1
        request = Pending(access, self.arrivals, priority)
        could = self.lock.isAvailable(request, access)
        before = self.taken()
        assert self.lock.reserve(request, access) is could
        if could and access.count:
            self.reserved.append(request)
            self.check_grant(access, before)

    @precondition(lambda self: self.reserved)
    @rule(index=st.integers(0, 20), start=st.booleans())
    def give_up(self, index: int, start: bool = False) -> None:
        request = self.reserved.pop(index % len(self.reserved))
        if not start:
            self.lock.give_up(request)
            return
        build = Someone(request.access, request.arrival)
        assert self.lock.hand_over(request, build)
        assert self.lock.isAvailable(build, build.access)
        self.lock.claim(build, build.access)
        self.holders.append(build)

    @rule(access=st.sampled_from(ACCESSES), priority=st.sampled_from(PRIORITIES))
    def line_up(self, access: LockAccess, priority: int) -> None:
        """As Lines does: a request that could not have it."""
        self.arrivals += 1
        self.line_up_one(Quiet(access, self.arrivals, priority))

    @precondition(lambda self: self.stepped_out)
    @rule(index=st.integers(0, 20))
    def line_up_again(self, index: int) -> None:
        self.line_up_one(self.stepped_out.pop(index % len(self.stepped_out)))

    def line_up_one(self, request: Quiet) -> None:
        if not self.lock.isAvailable(request, request.access):
            request.heard = self.deliveries
            self.lock.line_up(request, request.access)
            self.lock.line_up(request, request.access)
            self.lined_up.append(request)

    @precondition(lambda self: self.lined_up)
    @rule(index=st.integers(0, 20), start=st.booleans())
    def start_or_step_out(self, index: int, start: bool = False) -> None:
        """It reserves if it can, or it waits no more."""
        request = self.lined_up[index % len(self.lined_up)]
        offered = self.lock.is_offered(request)
        if start:
            before = self.taken()
            could = self.lock.reserve(request, request.access)
            assert could or not offered
            if not could:
                return
            self.check_grant(request.access, before)
            self.reserved.append(request)
        self.lined_up = [one for one in self.lined_up if one is not request]
        self.lock.step_out(request)
        assert self.lock.is_offered(request) is start  # a reservation goes on
        if not start:
            self.stepped_out.append(request)

    @rule(seconds=st.floats(0, 30))
    def time_passes(self, seconds: float) -> None:
        self.seconds += seconds

    @rule(access=st.sampled_from(ACCESSES))
    def release_what_nobody_claimed(self, access: LockAccess) -> None:
        self.lock.release(Someone(access, -1), access)

    # what must hold

    def claim_or_wait(self, someone: Someone) -> None:
        someone.woken = False
        if self.lock.isAvailable(someone, someone.access):
            if id(someone) not in self.offered():
                self.check_turn(someone)
            before = self.taken()
            self.lock.claim(someone, someone.access)
            if someone.access.count:
                self.holders.append(someone)
                self.check_grant(someone.access, before)
            return
        someone.deferred = self.lock.waitUntilMaybeAvailable(someone, someone.access)
        someone.deferred.addCallback(someone.wake)
        self.waiters.append(someone)

    def taken(self) -> tuple[int, int]:
        accesses = [one.access for one in (*self.holders, *self.reserved)]
        exclusive = sum(access.mode == 'exclusive' for access in accesses)
        return exclusive, sum(a.count for a in accesses if a.mode == 'counting')

    def check_grant(self, access: LockAccess, before: tuple[int, int]) -> None:
        """Invariant 3 of the design: no grant is ever above the limit."""
        exclusive, counting = before
        assert not exclusive
        if access.mode == 'exclusive':
            assert not counting
        elif self.lock.maxCount is not None:
            assert counting + access.count <= self.lock.maxCount

    def offered(self) -> set[int]:
        return {id(share.requester) for share in self.lock.picture().offered}

    def check_turn(self, someone: Someone) -> None:
        """Strictly in order by units: nobody passes one who came earlier and still waits."""
        if self.order == 'fifo' and someone.access.count:
            waiting = [share.requester for share in self.lock.picture().waiting]
            assert all(rank(other) > rank(someone) for other in waiting)

    @invariant()
    def offers_are_made_in_turn(self) -> None:
        if not hasattr(self, 'lock'):
            return
        offered = self.offered()
        for share in self.lock.picture().offered:
            if id(share.requester) not in self.offered_before:
                self.check_turn(share.requester)
        self.offered_before = offered

    @invariant()
    def no_wake_is_lost(self) -> None:
        """Whenever the first one could be served, it has been woken."""
        if not hasattr(self, 'lock'):
            return
        picture = self.lock.picture()
        waiting = [share.requester for share in picture.waiting]
        if not waiting or picture.exclusive:
            return
        first = waiting[0]
        if first.access.mode == 'exclusive':
            assert picture.taken
        else:
            assert picture.limit is not None
            assert picture.taken + first.access.count > picture.limit

    @invariant()
    def all_that_is_offered_has_been_told(self) -> None:
        if not hasattr(self, 'lock'):
            return
        coming = {id(args[0].requester) for _, args in self.turn if args}
        delivery = any(call == self.lock.release_subs.deliver for call, _ in self.turn)
        for share in self.lock.picture().offered:
            someone = share.requester
            told = someone.woken or id(someone) in coming
            if isinstance(someone, Quiet):
                told = someone.heard < self.deliveries or delivery
            assert told or any(someone is one for one in self.reserved)

    @invariant()
    def the_books_are_right(self) -> None:
        if not hasattr(self, 'lock'):
            return
        picture = self.lock.picture()
        assert {id(s.requester) for s in picture.held} == {id(h) for h in self.holders}
        in_line = {id(s.requester) for s in (*picture.offered, *picture.waiting, *picture.never)}
        assert in_line == {id(w) for w in (*self.waiters, *self.reserved, *self.lined_up)}


class PriorityMachine(SemaphoreMachine):
    order = 'priority'


CASES = settings(max_examples=80, stateful_step_count=60, deadline=None)
TestSemaphore = SemaphoreMachine.TestCase
TestSemaphore.settings = CASES
TestPriority = PriorityMachine.TestCase
TestPriority.settings = CASES
