# SPDX-License-Identifier: GPL-2.0-or-later
"""Builders with locks of all kinds: when all is quiet, nothing waits that could start.

There is no beat here, so that whoever is not woken by what has happened waits for ever.
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

INDEX = st.integers(0, 20)
LONG = 16  # seconds: longer than a turn is kept for one that nobody looks at


class Events(LocksMachine):
    def __init__(self):
        super().__init__()
        self.site = LockedSite(recheck=10.0**7)
        self.number = 0
        self.closed = self.site.closed

    def compare(self):
        self.site.settle()
        for _ in range(len(self.site.queue) + 1):
            could = self.site.could(self.site.queue.waiting())
            if not could:
                return
            waiting = self.site.queue.waiting()
            turns = {one for one in waiting if self.site.engine.lines.is_offered(one)}
            late = {one for one, _ in could if turns <= {one}}  # nothing is kept for others
            assert not late, f'{late} could start at once'
            # a turn that nobody uses is over by then
            self.site.clock.pump([LONG / 4] * 4)
            self.site.settle()
        raise AssertionError(f'{could} are forgotten')

    @rule(closed=st.integers(0, 4), **REQUEST)
    def submit_three(self, builder, priority, branch, named, closed):
        """The hook says no to one of them."""
        for number in range(3):
            self.number += 1
            if closed == number:
                self.closed.add(self.number)
            more = {'workername': named} if named else {}
            self.site.submit(self.number, builder, priority, branch=branch, **more)
        self.compare()

    @precondition(lambda self: len(self.site.queue))
    @rule(index=INDEX)
    def cancel(self, index):
        waiting = sorted(self.site.queue.waiting())
        self.site.queue.discard(waiting[index % len(waiting)])
        self.compare()

    @precondition(lambda self: len(self.site.queue))
    @rule(index=INDEX, priority=st.integers(0, 3))
    def change_priority(self, index, priority):
        waiting = sorted(self.site.queue.waiting())
        breq = self.site.backlog.breqs[waiting[index % len(waiting)]]
        self.site.queue.add(
            self.site.pending(breq.id, breq.buildername, priority, breq.submittedAt)
        )
        self.compare()

    @precondition(lambda self: self.site.builds())
    @rule(index=INDEX, wait=st.booleans())
    def a_build_ends(self, index, wait):
        build = self.site.builds()[index % len(self.site.builds())]
        self.site.release_locks(build)
        if wait:
            self.compare()
        self.site.finish(build)
        self.compare()

    @precondition(lambda self: self.site.builds())
    @rule()
    def two_builds_end_at_once(self):
        builds = self.site.builds()[:2]
        for build in builds:
            build.release_locks()
        for build in builds:
            self.site.finish(build)
        self.compare()

    @precondition(lambda self: self.site.builds())
    @rule(index=INDEX)
    def a_build_gives_back_its_locks_long_before_its_end(self, index):
        self.site.release_locks(self.site.builds()[index % len(self.site.builds())])
        self.compare()

    @rule(worker=st.sampled_from(WORKERS))
    def pause_or_go_on(self, worker):
        self.site.pause(worker)
        self.compare()

    @rule(index=INDEX)
    def a_hook_says_yes_and_its_builder_is_woken(self, index):
        for one in sorted(self.closed & set(self.site.queue.waiting()))[:1]:
            self.closed.discard(one)
            self.site.distributor.maybeStartBuildsOn([self.site.backlog.breqs[one].buildername])
        self.compare()

    @rule(seconds=st.integers(1, 30))
    def time_passes(self, seconds):
        self.site.clock.pump([1.0] * seconds)
        self.compare()


Events.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestLocks = Events.TestCase
