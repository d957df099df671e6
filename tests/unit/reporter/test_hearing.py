# SPDX-License-Identifier: GPL-2.0-or-later
"""The promise of a drain, against a model of the owner, the wire and the master."""

from __future__ import annotations

from collections import deque

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import initialize
from hypothesis.stateful import invariant
from hypothesis.stateful import precondition
from hypothesis.stateful import rule

from buildbot_balancer.availability.answer import Answer
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.reporter.hearing import Hearing


@attrs.frozen
class Sent:
    """A report, as far as it matters here."""

    incarnation: str
    seq: int
    mood: Mood


class TrueMaster:
    """Starts builds only where the last word that it knows is willing."""

    def __init__(self):
        self.builds = 0
        self.last = None  # the last report of this connection
        self.announced = None
        self.connected = False
        self.in_grace = False

    def attach(self, announced):
        self.connected, self.announced, self.last, self.in_grace = True, announced, None, True

    def detach(self):
        self.connected, self.last = False, None

    def may_start(self):
        if not self.connected:
            return False
        if self.last is None:
            return not self.in_grace and self.announced.starts_builds
        return self.last.mood.starts_builds

    def hear(self, report):
        same = self.last is not None and report.incarnation == self.last.incarnation
        if not same or report.seq > self.last.seq:
            self.last = report
        return self.answer()

    def answer(self):
        if self.last is None:
            return Answer()
        free = not self.last.mood.starts_builds and self.builds == 0
        return Answer(
            incarnation=self.last.incarnation,
            seq=self.last.seq,
            running=self.builds,
            mood=self.last.mood,
            free=free,
        )


class DrainPromise(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.master = TrueMaster()
        self.word = Mood.EAGER
        self.starts = 0
        self.up = deque()
        self.down = deque()
        self.start_reporter()

    def start_reporter(self):
        self.starts += 1
        self.incarnation = f'i{self.starts}'
        self.hearing = Hearing()
        self.seq = 0

    def send(self):
        if self.hearing.listening:
            self.seq += 1
            if self.master.connected:
                self.up.append(Sent(self.incarnation, self.seq, self.word))

    def cut(self):
        self.master.detach()
        self.up.clear()
        self.down.clear()
        self.hearing.lost()

    @initialize(mood=st.sampled_from([Mood.EAGER, Mood.OFFLINE]))
    def all_is_well(self, mood):
        self.the_worker_connects()
        self.the_owner_says(mood)
        self.all_that_is_on_its_way_arrives()

    # the owner and the reporter

    @rule(mood=st.sampled_from([Mood.EAGER, Mood.OFFLINE]))
    def the_owner_says(self, mood):
        self.word = mood  # the announcement is written in the same turn
        self.hearing.new_word(self.seq + 1)
        self.send()

    @rule()
    def a_heartbeat_comes(self):
        self.send()

    @rule(taken=st.booleans())
    def a_report_is_acknowledged_or_not(self, taken):
        self.hearing.taken() if taken else self.hearing.not_taken()

    @precondition(lambda self: not self.hearing.listening and self.master.connected)
    @rule()
    def the_reporter_knocks(self):
        self.hearing.knock()
        self.send()

    # the wire: late, lost with its connection, never out of order

    @precondition(lambda self: self.up)
    @rule(count=st.integers(1, 3), answered=st.booleans())
    def reports_arrive(self, count, answered):
        for _ in range(min(count, len(self.up))):
            answer = self.master.hear(self.up.popleft())
            if answered:
                self.down.append(answer)

    @precondition(lambda self: self.down)
    @rule(count=st.integers(1, 3))
    def answers_arrive(self, count):
        for _ in range(min(count, len(self.down))):
            if self.hearing.answered(self.down.popleft(), self.incarnation):
                self.send()

    @precondition(lambda self: self.master.connected)
    @rule(seq=st.integers(0, 9), free=st.booleans())
    def an_answer_to_an_old_incarnation_arrives(self, seq, free):
        old = Answer(incarnation='i0', seq=seq, running=0 if free else 1, free=free)
        self.hearing.answered(old, self.incarnation)

    @rule()
    def all_that_is_on_its_way_arrives(self):
        while self.up or self.down:
            if self.down:
                self.answers_arrive(1)
            if self.up:
                self.reports_arrive(1, answered=True)

    @rule(what=st.sampled_from(['nothing', 'nothing', 'nothing', 'connection', 'worker', 'master']))
    def something_breaks(self, what):
        if what == 'nothing':
            return
        self.cut()
        if what == 'worker':
            self.start_reporter()
        elif what == 'master':
            self.master = TrueMaster()

    @precondition(lambda self: not self.master.connected)
    @rule()
    def the_worker_connects(self):
        self.master.attach(self.word)
        self.down.append(Answer())

    # the master

    @precondition(lambda self: self.master.in_grace)
    @rule()
    def the_grace_is_over(self):
        self.master.in_grace = False

    @precondition(lambda self: self.master.may_start())
    @rule()
    def a_build_starts(self):
        self.master.builds += 1
        self.down.append(self.master.answer())

    @precondition(lambda self: self.master.builds)
    @rule()
    def builds_end(self):
        self.master.builds = 0
        if self.master.connected:
            self.down.append(self.master.answer())

    @precondition(lambda self: self.master.connected)
    @rule()
    def the_balancer_leaves_and_comes_back(self):
        """It waits until the reporter has heard that nothing is promised any more."""
        while self.down:
            self.answers_arrive(1)
        self.up.clear()
        self.hearing.answered(Answer(serving=False), self.incarnation)
        self.master.last = None
        self.master.builds += 1  # as a stock master would
        self.down.append(Answer())

    # what must hold

    @invariant()
    def a_promise_is_true(self):
        if self.hearing.promised:
            assert self.master.builds == 0
            assert not self.master.may_start()

    @invariant()
    def nothing_is_empty_without_a_promise(self):
        assert self.hearing.promised or not self.hearing.empty

    @invariant()
    def nobody_hears_without_a_connection(self):
        assert self.master.connected or not self.hearing.listening
        assert self.hearing.listening or not self.hearing.hears


DrainPromise.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestDrainPromise = DrainPromise.TestCase
