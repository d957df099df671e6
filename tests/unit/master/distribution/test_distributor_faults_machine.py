# SPDX-License-Identifier: GPL-2.0-or-later
"""Events that are lost, doubled, late or in another order: after a beat nothing waits that could
start, and nothing has started twice.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition
from hypothesis.stateful import rule
from support.distributor_locks import REQUEST
from support.distributor_locks import WORKERS
from support.distributor_locks import LockedSite
from support.distributor_locks import LocksMachine
from support.distributor_site import RECHECK

INDEX = st.integers(0, 20)
SOME = st.lists(st.sampled_from(['in time', 'lost', 'twice', 'late']), min_size=1, max_size=8)
FAULTS = st.one_of(st.just(['lost']), st.just(['late']), SOME)
TURN = 16  # seconds: longer than a turn is kept for one that nobody looks at


class Carrier:
    """`faults` are used in turn, again and again."""

    def __init__(self):
        self.faults, self.late, self.count = ['in time'], [], 0

    def carry(self, told):
        def tell(*args):
            fault = self.faults[self.count % len(self.faults)]
            self.count += 1
            if fault == 'late':
                self.late.append((told, args))
            for _ in range({'lost': 0, 'late': 0, 'twice': 2}.get(fault, 1)):
                told(*args)

        return tell

    def bring(self, index):
        told, args = self.late.pop(index % len(self.late))
        told(*args)


class Faults(LocksMachine):
    def __init__(self):
        super().__init__()
        self.carrier, self.number = Carrier(), 0
        self.unclaimed = {}  # what the database says
        self.site = LockedSite()
        self.spoil()

    def spoil(self):
        """All that the distributor hears comes by the carrier."""
        site, carry = self.site, self.carrier.carry
        told = site.distributor
        for name in ('worker_changed', 'everybody_woken', 'maybeStartBuildsOn'):
            setattr(told, name, carry(getattr(told, name)))
        site.botmaster.maybeStartBuildsForWorker = told.worker_changed
        site.botmaster.maybeStartBuildsForAllBuilders = told.everybody_woken
        site.releases._wake = carry(site.releases._wake)
        told.barriers._releases._wake = carry(told.barriers._releases._wake)
        self.came, self.went = carry(self.hear_of), carry(site.queue.discard)
        site.master.data.updates.claimBuildRequests = self.claim

    # the database

    def hear_of(self, request):
        """The intake lets through no event of what has gone since."""
        if request in self.unclaimed and not self.site.queue.is_taken(request):
            self.site.queue.add(self.unclaimed[request])

    async def claim(self, requests, claimed_at=None):
        got = self.unclaimed.pop(requests[0], None) is not None
        self.went(requests[0])
        return got

    def look_at_the_database(self):
        queue = self.site.queue
        for request in [*queue.waiting(), *queue.taken()]:
            if request not in self.unclaimed:
                queue.discard(request)
        for pending in list(self.unclaimed.values()):
            queue.add(pending)

    # what happens

    @rule(faults=FAULTS)
    def from_now_on(self, faults):
        self.carrier.faults = faults

    @precondition(lambda self: self.carrier.late)
    @rule(index=INDEX)
    def a_late_event_comes(self, index):
        self.carrier.bring(index)

    @rule(closed=st.integers(0, 4), **REQUEST)
    def submit_three(self, builder, priority, branch, named, closed):
        for number in range(3):
            self.number += 1
            if closed == number:
                self.site.closed.add(self.number)
            more = {'workername': named} if named else {}
            pending = self.site.known(self.number, builder, priority, branch=branch, **more)
            self.unclaimed[self.number] = pending
            self.came(self.number)

    @precondition(lambda self: self.unclaimed)
    @rule(index=INDEX)
    def cancel_or_claim_elsewhere(self, index):
        request = sorted(self.unclaimed)[index % len(self.unclaimed)]
        del self.unclaimed[request]
        self.went(request)

    @precondition(lambda self: self.unclaimed)
    @rule(index=INDEX, priority=st.integers(0, 3))
    def change_priority(self, index, priority):
        request = sorted(self.unclaimed)[index % len(self.unclaimed)]
        breq = self.site.backlog.breqs[request]
        changed = self.site.pending(request, breq.buildername, priority, breq.submittedAt)
        self.unclaimed[request] = changed
        self.came(request)

    @precondition(lambda self: self.site.builds())
    @rule(index=INDEX, all_at_once=st.booleans())
    def a_build_ends(self, index, all_at_once):
        build = self.site.builds()[index % len(self.site.builds())]
        if all_at_once:
            build.release_locks()
        else:
            self.site.release_locks(build)
        self.site.finish(build)

    @precondition(lambda self: self.site.builds())
    @rule(faults=FAULTS)
    def all_builds_end_and_then_the_beats_go_on(self, faults):
        self.carrier.faults = faults
        for build in self.site.builds():
            self.site.release_locks(build)
            self.site.finish(build)
        self.the_beats_go_on()

    @rule(worker=st.sampled_from(WORKERS))
    def pause_or_go_on(self, worker):
        self.site.pause(worker)

    @rule()
    def a_hook_says_yes(self):
        for one in sorted(self.site.closed & set(self.unclaimed))[:1]:
            self.site.closed.discard(one)
            builder = self.site.backlog.breqs[one].buildername
            self.site.distributor.maybeStartBuildsOn([builder])

    @rule(seconds=st.integers(1, 20))
    def time_passes(self, seconds):
        self.site.clock.pump([1.0] * seconds)
        self.site.settle()

    @rule()
    def the_beats_go_on(self):
        self.carrier.faults = ['in time']
        self.look_at_the_database()
        self.site.clock.pump([1.0] * int(RECHECK + 1))
        self.site.settle()
        could = self.site.could(self.unclaimed)
        for _ in range(len(self.unclaimed) if could else 0):  # for the turns of others
            self.site.clock.pump([TURN / 4] * 4)
            self.site.settle()
            could = self.site.could(self.unclaimed)
        assert not could, f'{could} are forgotten'
        started = [request for request, _ in self.site.started]
        assert len(started) == len(set(started))
        assert not set(started) & set(self.unclaimed)


Faults.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestFaults = Faults.TestCase
