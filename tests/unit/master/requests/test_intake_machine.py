# SPDX-License-Identifier: GPL-2.0-or-later
"""Two masters, a database and an mq, in any interleaving; the queue is one of the masters'."""

from __future__ import annotations

from buildbot.util import epoch2datetime
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import invariant
from hypothesis.stateful import precondition
from hypothesis.stateful import rule
from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.python import log

from buildbot_balancer.master.requests import reconciliation
from buildbot_balancer.master.requests.intake import Intake
from buildbot_balancer.master.requests.pending import Pending
from buildbot_balancer.master.requests.queue import Queue

NOW = 1_800_000_000
BUILDER = 1


class Steps(Clock):
    """Makes one call at a time, so that anything can happen between two portions."""

    def step(self):
        if self.calls and self.calls[0].getTime() <= self.seconds():
            call = self.calls.pop(0)
            call.called = 1
            call.func(*call.args, **call.kw)


class Mq:
    def startConsuming(self, callback, key):
        self.callback = callback
        return defer.succeed(self)

    def stopConsuming(self):
        pass


class Master(RuleBasedStateMachine):
    """Events are made in the order of the changes, and kept back until a rule brings them; only
    "new" may come at any time.
    """

    requests = Bundle('requests')

    def __init__(self):
        super().__init__()
        self.before, reconciliation.AT_ONCE = reconciliation.AT_ONCE, 2
        self.clock, self.mq, self.queue = Steps(), Mq(), Queue()
        self.errors = []
        log.addObserver(self.logged)
        self.clock.advance(NOW)
        self.waiting, self.priorities = set(), {}
        self.ways = {'new': [], 'other': []}
        self.queries, self.taken = [], set()
        self.count = 0
        self.intake = Intake(self.mq, self.clock, self.queue, self.fetch)
        self.do(self.intake.serve({BUILDER}))
        self.do(self.intake.start())

    def teardown(self):
        reconciliation.AT_ONCE = self.before
        log.removeObserver(self.logged)

    def logged(self, event):
        if event['isError']:
            self.errors.append(log.textFromEventDict(event))

    def do(self, coroutine):
        defer.ensureDeferred(coroutine).addErrback(log.err)

    @invariant()
    def nothing_failed(self):
        assert self.errors == []

    def fetch(self):
        query = defer.Deferred()
        self.queries.append((query, [self.row(one).row for one in sorted(self.waiting)]))
        return query

    def row(self, one):
        return Pending(one, BUILDER, one, self.priorities[one], NOW, waited_for=False)

    def emit(self, name, one):
        message = {
            'buildrequestid': one,
            'builderid': BUILDER,
            'buildsetid': one,
            'priority': self.priorities[one],
            'submitted_at': epoch2datetime(NOW),
            'waited_for': False,
            'claimed': one not in self.waiting,
            'complete': False,
        }
        way = self.ways['new' if name == 'new' else 'other']
        way.append((('buildrequests', str(one), name), message))

    # what happens in the database

    @rule(target=requests)
    def submit(self):
        self.count += 1
        self.priorities[self.count] = 0
        self.waiting.add(self.count)
        self.emit('new', self.count)
        return self.count

    @rule(one=requests)
    def the_other_master_claims(self, one):
        if one in self.waiting:
            self.waiting.discard(one)
            self.emit('claimed', one)

    @rule(one=requests)
    def a_claim_is_given_back(self, one):
        if one not in self.waiting and self.priorities[one] != 'complete':
            self.waiting.add(one)
            self.emit('unclaimed', one)

    @rule(one=requests)
    def cancel(self, one):
        if one in self.waiting:
            self.waiting.discard(one)
            self.emit('complete', one)
            self.emit('cancel', one)
            self.priorities[one] = 'complete'

    # what this master does

    @rule()
    def take_the_first(self):
        first = self.queue.first(BUILDER)
        if first is not None:
            self.queue.remove(first.id)
            self.taken.add(first.id)

    @rule(puts_back=st.booleans())
    def decide(self, puts_back):
        for one in sorted(self.taken)[:1]:
            self.taken.discard(one)
            if puts_back:
                self.queue.put_back(one)
            elif one in self.waiting:
                self.waiting.discard(one)
                self.emit('claimed', one)

    # what is heard of it

    @rule(way=st.sampled_from(['new', 'other']), at=st.integers(0, 3))
    def an_event_comes(self, way, at):
        if self.ways[way]:
            place = min(at, len(self.ways[way]) - 1) if way == 'new' else 0
            self.mq.callback(*self.ways[way].pop(place))

    @rule()
    def look(self):
        self.do(self.intake.check())

    @precondition(lambda self: self.queries)
    @rule()
    def the_query_is_answered(self):
        query, rows = self.queries.pop(0)
        query.callback(rows)

    @rule()
    def one_turn(self):
        self.clock.step()

    @rule(wait=st.sampled_from([1, 61]))
    def time_passes(self, wait):
        self.clock.advance(wait)

    def finish_looks(self):
        for _ in range(200):
            if self.queries:
                self.the_query_is_answered()
            self.clock.advance(0)

    def has_the_truth(self):
        return sorted(one.id for one in self.queue.in_order()) == sorted(self.waiting)


class NothingLost(Master):
    """When all that was said is heard, the queue is right, without one more look."""

    @rule(first=st.sampled_from(['looks', 'events']))
    def all_is_heard(self, first):
        if first == 'looks':
            self.finish_looks()
        while self.ways['new'] or self.ways['other']:
            self.an_event_comes('other', 0)
            self.an_event_comes('new', 0)
        self.finish_looks()
        while self.taken:
            self.decide(puts_back=True)
        assert self.has_the_truth(), (list(self.queue.in_order()), self.waiting)


class SomeLost(Master):
    """Events are lost, doubled and late; one look when all is quiet puts it right."""

    @rule(way=st.sampled_from(['new', 'other']))
    def an_event_is_lost(self, way):
        if self.ways[way]:
            self.ways[way].pop()

    @rule(way=st.sampled_from(['new', 'other']))
    def an_event_comes_early_and_once_more(self, way):
        if self.ways[way]:
            self.mq.callback(*self.ways[way][-1])

    @rule()
    def one_more_look(self):
        self.finish_looks()
        while self.taken:
            self.decide(puts_back=True)
        self.do(self.intake.check())
        self.finish_looks()
        self.clock.advance(61)  # who was taken and forgotten needs a whole beat
        self.finish_looks()
        assert self.has_the_truth(), (list(self.queue.in_order()), self.waiting)


for machine in (NothingLost, SomeLost):
    machine.TestCase.settings = settings(max_examples=70, stateful_step_count=40, deadline=None)
TestNothingLost = NothingLost.TestCase
TestSomeLost = SomeLost.TestCase
