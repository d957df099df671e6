# SPDX-License-Identifier: GPL-2.0-or-later
"""The distributor beside one that is slow and obviously right: all requests x all workers, sorted.

Both are told of the same events, one by one, and start the same builds in the same order.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import precondition
from hypothesis.stateful import rule
from support.distributor_site import Site

MOST = {'w1': 1, 'w2': 1, 'w3': None}  # builds at once
WORKERS = list(MOST)
BUILDERS = {'a': ['w1', 'w2'], 'b': ['w2', 'w3'], 'l': ['w1', 'w2', 'w3']}
LOCKED = 'l'
SOME = st.lists(st.sampled_from(WORKERS), unique=True, max_size=3)
INDEX = st.integers(0, 10)


class Slow:
    """It reads what is so from the site, and asks nothing of what decides there."""

    def __init__(self, site, order):
        self.site, self.order = site, order
        self.pending = {}  # by id: (builder, priority, named worker, not before)
        self.started = []
        self.running = []  # (builder, worker)
        self.gone, self.paused = set(), set()

    def can(self, one, worker):
        builder, _, named, not_before = self.pending[one]
        most = MOST[worker]
        return (
            worker in self.site.builders[builder].config.workernames
            and worker not in self.gone | self.paused
            and (builder, worker) not in self.running
            and (most is None or sum(w == worker for _, w in self.running) < most)
            and named in (None, worker)
            and self.site.clock.seconds() >= not_before
            and one not in self.site.closed
            and not (builder == LOCKED and any(b == LOCKED for b, _ in self.holding()))
        )

    def holding(self):
        return [(b.builder.name, b) for b in self.site.builds() if b.claimed] + self.will_hold

    def key(self, one):
        return (-self.pending[one][1], one)  # the numbers are given by age

    def run(self):
        """One after the other, each the first of all that could start."""
        self.will_hold = []
        while True:
            could = [
                (self.place(one, worker), one, worker)
                for one in self.pending
                for worker in WORKERS
                if self.can(one, worker)
            ]
            if not could:
                return
            _, one, worker = min(could)
            builder = self.pending.pop(one)[0]
            self.running.append((builder, worker))
            self.will_hold.append((builder, None))
            self.started.append((one, worker))

    def place(self, one, worker):
        if self.order == 'worker':
            return (WORKERS.index(worker), self.key(one))
        if self.order == 'builder':
            return (-list(BUILDERS).index(self.pending[one][0]), self.key(one), worker)
        return (self.key(one), worker)


class Events(RuleBasedStateMachine):
    order = 'request'

    def __init__(self):
        super().__init__()
        self.site = Site(BUILDERS, MOST)
        self.site.use_lock(LOCKED)
        self.site.distributor.ordering.order = self.order
        if self.order == 'builder':
            self.site.master.config.prioritizeBuilders = self.prioritize
        self.slow = Slow(self.site, self.order)
        self.number = 0
        self.asleep = False

    @staticmethod
    def prioritize(master, builders):
        return sorted(builders, key=lambda one: -one.number)

    def teardown(self):
        self.site.stop()

    def happens(self, event, *args):
        """Told to both; what has started since is the same when all is quiet."""
        event(*args)
        self.pass_moments()
        self.compare()
        self.site.settle()
        self.pass_moments()
        self.compare()

    def pass_moments(self):
        """A moment that is just now may have been noticed, or not."""
        moments = [row[3] for row in self.slow.pending.values()]
        while any(0 <= self.site.clock.seconds() - at < 0.1 for at in moments):
            self.site.clock.advance(0.04)

    def compare(self):
        if self.asleep:
            return
        # what the fast one has started meanwhile is no news to the slow one
        builds, held = self.site.builds(), {}
        fresh = [b for b in builds if b.requests[0].id in self.slow.pending]
        for build in fresh:
            held[build], build.claimed = build.claimed, []
        self.slow.run()
        for build, claimed in held.items():
            build.claimed = claimed
        assert self.site.started == self.slow.started

    # requests

    REQUEST = st.tuples(
        st.sampled_from([*BUILDERS, LOCKED]),
        st.integers(0, 2),
        st.sampled_from([None, None, None, *WORKERS]),
        st.sampled_from([0, 0, 0, 0, 0, 3]),
        st.sampled_from([False] * 7 + [True]),
    )

    def submit_one(self, builder, priority, named, wait, closed):
        self.number += 1
        # so far apart that no two of them pass in one step
        at = int(self.site.clock.seconds()) + wait + 0.5 * (self.number % 2) if wait else 0
        self.slow.pending[self.number] = (builder, priority, named, at)
        if closed:
            self.site.closed.add(self.number)
        more = {'workername': named} if named else {}
        if at:
            more['not_before'] = at
        self.site.submit(self.number, builder, priority, **more)

    @rule(request=REQUEST)
    def submit(self, request):
        self.happens(self.submit_one, *request)

    @precondition(lambda self: not self.asleep)
    @rule(requests=st.lists(REQUEST, min_size=2, max_size=8))
    def submit_many_before_anything_is_decided(self, requests):
        self.it_stops_or_goes_on()
        for request in requests:
            self.submit_one(*request)
        self.it_stops_or_goes_on()

    def one(self, index):
        waiting = sorted(self.slow.pending)
        return waiting[index % len(waiting)]

    @precondition(lambda self: self.slow.pending)
    @rule(index=INDEX)
    def cancel(self, index):
        one = self.one(index)
        del self.slow.pending[one]
        self.happens(self.site.queue.discard, one)

    @precondition(lambda self: self.slow.pending)
    @rule(index=INDEX, priority=st.integers(0, 3))
    def change_priority(self, index, priority):
        one = self.one(index)
        builder, _, *more = self.slow.pending[one]
        self.slow.pending[one] = (builder, priority, *more)
        breq = self.site.backlog.breqs[one]
        pending = self.site.pending(one, builder, priority, breq.submittedAt)
        self.happens(self.site.queue.add, pending)

    @precondition(lambda self: self.site.closed & set(self.slow.pending))
    @rule(index=INDEX)
    def a_hook_says_yes_and_its_builder_is_woken(self, index):
        closed = sorted(self.site.closed & set(self.slow.pending))
        one = closed[index % len(closed)]
        self.site.closed.discard(one)
        builder = self.slow.pending[one][0]
        self.happens(self.site.distributor.maybeStartBuildsOn, [builder])

    # workers

    @precondition(lambda self: self.slow.running)
    @rule()
    def all_builds_end(self):
        while self.slow.running and len(self.slow.started) < 100:
            self.a_build_ends(0)

    @precondition(lambda self: self.slow.running)
    @rule(index=INDEX)
    def a_build_ends(self, index):
        build = self.site.builds()[index % len(self.site.builds())]
        self.happens(self.site.release_locks, build)
        self.slow.running.remove((build.builder.name, build.workername))
        self.happens(self.site.finish, build)

    @rule(worker=st.sampled_from(WORKERS))
    def pause_or_go_on(self, worker):
        on = worker not in self.slow.paused
        self.slow.paused ^= {worker}
        self.site.workers[worker]._paused = on
        self.happens(self.site.distributor.worker_changed, worker)

    @rule(worker=st.sampled_from(WORKERS))
    def leave_or_come(self, worker):
        if any(one == worker for _, one in self.slow.running):
            return
        self.slow.gone ^= {worker}
        if worker in self.slow.gone:
            self.happens(self.site.detach, worker)
        else:
            self.happens(self.site.attach, worker)

    # all else

    @rule(seconds=st.integers(1, 5))
    def time_passes(self, seconds):
        for _ in range(4 * seconds):
            self.happens(self.site.clock.advance, 0.13)

    @rule()
    def it_stops_or_goes_on(self):
        """As in a quick clean shutdown that is cancelled: much can start at once then."""
        self.asleep = not self.asleep
        service = self.site.distributor
        self.happens(service.stopService if self.asleep else service.startService)

    @rule()
    def everybody_is_woken(self):
        self.happens(self.site.distributor.everybody_woken)

    @rule(builder=st.sampled_from(list(BUILDERS)), names=SOME)
    def reconfigure(self, builder, names):
        busy = {worker for one, worker in self.slow.running if one == builder}
        self.happens(self.site.reconfigure, builder, sorted({*names, *busy}))


class ByBuilder(Events):
    order = 'builder'


class ByWorker(Events):
    order = 'worker'


for machine in (Events, ByBuilder, ByWorker):
    machine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestByRequest = Events.TestCase
TestByBuilder = ByBuilder.TestCase
TestByWorker = ByWorker.TestCase
