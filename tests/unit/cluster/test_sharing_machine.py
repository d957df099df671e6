# SPDX-License-Identifier: GPL-2.0-or-later
"""Any order of requests, steps, grants, refusals, delays and failures over two shared locks."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import initialize
from hypothesis.stateful import invariant
from hypothesis.stateful import precondition
from hypothesis.stateful import rule
from support.shared_model import Pending
from support.shared_model import Step
from support.shared_site import ALONE
from support.shared_site import NAMES
from support.shared_site import SharedSite
from support.shared_site import units

from buildbot_balancer.cluster.want import Want

WANTS = st.dictionaries(
    st.sampled_from(NAMES), st.sampled_from([units(), units(2), ALONE]), min_size=1
)
ANSWERS = st.sampled_from(['done', 'done', 'done', 'unheard', 'failed'])
INDEX = st.integers(0, 20)


class SharingMachine(RuleBasedStateMachine):
    """The model is the store; a step is one until it ends, a request until it starts."""

    def __init__(self) -> None:
        super().__init__()
        self.site: Any = None
        self.steps: list[Step] = []
        self.requests: list[Pending] = []
        self.numbers = 0

    @initialize(limit=st.sampled_from([2, 3, None]), deaf=st.booleans())
    def begin(self, limit: int | None, deaf: bool) -> None:
        self.site = SharedSite(limit)
        self.site.deaf = deaf

    def teardown(self) -> None:
        if self.site is None:
            return
        try:
            self.quiet()
        finally:
            self.site.close()

    def quiet(self) -> None:
        """Everybody is served, and then nothing is held."""
        site = self.site
        site.lease.sure = True
        if site.lease.incarnation is None:
            site.begin_lease()
        site.sharing.lease_sure('')
        site.store.other_gives_back()
        waiting = [one for one in self.steps if not one.stopped and not one.has]
        pending = len(self.requests)
        for _ in range(20 * (len(waiting) + pending) + 20):
            site.settle()
            for step in [one for one in self.steps if one.has]:
                step.release()
            for index in range(len(self.requests)):
                self.start(index)
            site.turn(5.0)
        site.settle()
        assert not self.requests
        assert all(one.stopped for one in self.steps), [vars(one) for one in self.steps]
        site.settle()
        assert site.store.units == []
        assert site.store.waiting == {}
        assert site.sharing.quiet
        assert all(lock.idle for lock in site.locks.values())

    # who wants

    @rule(wants=WANTS)
    def a_step_comes(self, wants: dict[str, Any]) -> None:
        self.steps.append(self.site.step(*wants.items()))

    @rule(wants=WANTS)
    def a_request_comes(self, wants: dict[str, Any]) -> None:
        self.numbers += 1
        self.requests.append(self.site.request(self.numbers, *wants.items()))

    @precondition(lambda self: self.requests)
    @rule(index=INDEX)
    def start(self, index: int) -> None:
        """As the distributor does: looks, reserves, makes the build, which claims later."""
        if not self.requests:
            return
        request = self.requests[index % len(self.requests)]
        if not self.site.is_free_for(request):
            self.site.line_up(request)
            return
        assert all(door.reserve(request, access) for door, access in request.pairs)
        build = Step(request.pairs)
        for door, access in request.pairs:
            door.hand_over(request, build, access)
        self.requests.remove(request)
        build.acquire()
        self.steps.append(build)

    @precondition(lambda self: self.requests)
    @rule(index=INDEX)
    def a_request_goes(self, index: int) -> None:
        self.site.leave(self.requests.pop(index % len(self.requests)))

    @precondition(lambda self: self.steps)
    @rule(index=INDEX)
    def a_step_ends(self, index: int) -> None:
        step = self.steps.pop(index % len(self.steps))
        if step.has:
            step.release()
        else:
            step.stop()

    # what the others do

    @precondition(lambda self: self.site.store.asked)
    @rule(index=INDEX, how=ANSWERS)
    def the_database_answers(self, index: int, how: str) -> None:
        self.site.store.answer(index, how)

    @precondition(lambda self: self.site.store.asked)
    @rule()
    def all_is_answered(self) -> None:
        self.site.settle()

    @precondition(lambda self: self.site.sharing.quiet is False)
    @rule()
    def all_is_asked_and_answered(self) -> None:
        self.site.settle()

    @rule(name=st.sampled_from(NAMES), count=st.integers(1, 2))
    def another_master_takes(self, name: str, count: int) -> None:
        limit = self.site.locks[name].maxCount
        self.numbers += 1
        self.site.store.other_takes(f'build:{self.numbers}', Want(name, '', limit, count=count))

    @rule()
    def another_master_gives_back(self) -> None:
        self.site.store.other_gives_back()

    @rule(seconds=st.sampled_from([0.0, 0.0, 1.0, 5.0]))
    def time_goes_on(self, seconds: float) -> None:
        self.site.turn(seconds)

    @rule(name=st.sampled_from(NAMES), limit=st.sampled_from([2, 3, 4, None]))
    def the_limit_is_another(self, name: str, limit: int | None) -> None:
        self.site.locks[name].setMaxCount(limit)

    @precondition(lambda self: self.site.lease.incarnation is None)
    @rule()
    def the_lease_begins(self) -> None:
        self.site.begin_lease()

    @precondition(lambda self: self.site.lease.incarnation is not None)
    @rule()
    def the_lease_is_lost(self) -> None:
        self.site.lose_lease()

    @rule()
    def the_lease_is_not_sure(self) -> None:
        self.site.lease.sure = False

    @precondition(lambda self: not self.site.lease.sure)
    @rule()
    def the_lease_is_sure_again(self) -> None:
        self.site.lease.sure = True
        self.site.sharing.lease_sure('')

    # what always holds

    @invariant()
    def whoever_has_it_has_it_in_the_database(self) -> None:
        """But for those whose lease was lost since."""
        if self.site is None:
            return
        store, run = self.site.store, self.site.lease.incarnation
        for bid in self.site.sharing:
            if not bid.claimed or bid.lost:
                continue
            assert bid.incarnation == run
            old = {one.owners[0] for one in store.asked if bid.owner in one.owners[1:]}
            names = {bid.owner, *old, *self.renamed(bid)}
            for semaphore in bid.claimed:
                owners = store.holders(run, semaphore.key)
                assert names & set(owners), (bid, store.units)

    def renamed(self, bid: Any) -> list[str]:
        names = self.site.sharing._returns._names
        return [old for old, (_, new) in names.items() if new == bid.owner]

    @invariant()
    def each_owner_is_known(self) -> None:
        """What the database has of this run is somebody's, or is about to be given back."""
        if self.site is None:
            return
        run = self.site.lease.incarnation
        found = {one.owner for one in self.site.store.units if one.incarnation == run}
        assert found <= self.site.sharing.owners, (found, self.site.sharing.owners)

    @invariant()
    def who_claimed_has_a_grant(self) -> None:
        if self.site is None:
            return
        for step in self.steps:
            if step.has:
                for door, access in step._locks_to_acquire:
                    assert door.isOwner(step, access)
                    assert self.site.sharing.in_hand(step, door.semaphore) or self.is_lost(step)

    def is_lost(self, step: Step) -> bool:
        return any(bid.requester is step and bid.lost for bid in self.site.sharing)


SharingMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
SharingTest = SharingMachine.TestCase
