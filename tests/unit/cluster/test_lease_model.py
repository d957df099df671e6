# SPDX-License-Identifier: GPL-2.0-or-later
"""The lease protocol on a real database with a clock of the test's; masters pause anywhere.

A question goes to the database at one step, and its answer is heard at another.
"""

from __future__ import annotations

import random

import attrs
import sqlalchemy as sa
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import initialize
from hypothesis.stateful import invariant
from hypothesis.stateful import precondition
from hypothesis.stateful import rule
from support.shared_stores import Member

from buildbot_balancer.cluster.lost import LostLeaseError
from buildbot_balancer.cluster.protocol import STALE
from buildbot_balancer.cluster.want import EXCLUSIVE
from buildbot_balancer.cluster.want import Taken
from buildbot_balancer.cluster.want import Want
from buildbot_balancer.tables.schema import UNIT
from buildbot_balancer.tables.schema import WAITER

LEASE = 30.25  # no sum of the steps of time: none is at a lease's very end
SURE = LEASE * 0.95
LIMITS = {'one': 1, 'three': 3}
MASTERS = 3


def engine_with(clock):
    engine = sa.create_engine('sqlite://', poolclass=sa.pool.StaticPool)

    @sa.event.listens_for(engine, 'connect')
    def connect(connection, _):
        connection.create_function('julianday', 1, lambda _: clock.now / 86400 + 2440587.5)

    return engine


@attrs.define(eq=False)
class Owner:
    name: str
    wants: tuple[Want, ...]
    running: bool = False
    since: float | None = None  # it waits
    asked: float = 0.0
    holds: bool = False

    def units_of(self, lock):
        for want in self.wants:
            if want.lock == lock:
                return LIMITS[lock] if want.mode == EXCLUSIVE else want.count
        return 0


class Master:
    """`heard`: what the database has answered, and the master has not heard yet."""

    def __init__(self, engine, number):
        self.member = Member(engine, f'm{number}', number)
        self.number = number
        self.runs = 0
        self.owners: list[Owner] = []
        self.paused = False
        self.heard = []
        self.lost = True
        self.beat_at = 0.0  # executed by the database
        self.sure_until = 0.0

    def begin(self, now):
        self.member.begin(LEASE)
        self.runs += 1
        self.owners = []
        self.heard = []
        self.lost = False
        self.beat_at, self.sure_until = now, now + SURE


class Leases(RuleBasedStateMachine):
    @initialize()
    def start(self):
        self.now = 1_000_000.0
        self.engine = engine_with(self)
        self.masters = [Master(self.engine, number) for number in range(MASTERS)]
        self.names = 0
        for master in self.masters:
            master.begin(self.now)

    def teardown(self):
        if hasattr(self, 'engine'):
            self.come_to_rest()
            self.engine.dispose()

    # what happens

    @rule(seconds=st.sampled_from([0.5, 0.5, 3.0, 3.0, 9.0, 16.0, 31.0]))
    def time_passes(self, seconds):
        self.now += seconds

    @rule(which=st.integers(0, MASTERS - 1), lot=st.integers(0, 3))
    def pauses_or_goes_on(self, which, lot):
        self.masters[which].paused = lot == 0

    @rule(which=st.integers(0, MASTERS - 1))
    def beat_is_executed(self, which):
        master = self.masters[which]
        if master.paused or master.lost:
            return
        sent = self.now
        if master.member.beat():
            master.beat_at = self.now
            master.heard.append(lambda: self.heard_beat(master, sent))
        else:
            master.heard.append(lambda: self.heard_loss(master))

    def heard_beat(self, master, sent):
        master.sure_until = max(master.sure_until, sent + SURE)

    def heard_loss(self, master):
        master.lost, master.sure_until = True, 0.0

    @rule(which=st.integers(0, MASTERS - 1))
    def hears(self, which):
        master = self.masters[which]
        if not master.paused:
            for one in master.heard:
                one()
            master.heard = []

    @rule(which=st.integers(0, MASTERS - 1))
    def buries(self, which):
        master = self.masters[which]
        if not master.paused and not master.lost:
            master.member.end_dead()

    @rule(which=st.integers(0, MASTERS - 1), lot=st.integers(0, 5))
    def begins_anew(self, which, lot):
        """After a crash, or because it has heard of its loss."""
        master = self.masters[which]
        if not master.paused and (master.lost or lot == 0):
            master.begin(self.now)

    wants = st.sampled_from(
        [
            (Want('one', limit=1),),
            (Want('three', limit=3),),
            (Want('three', limit=3, count=2),),
            (Want('three', limit=3, count=3),),
            (Want('three', limit=3, mode=EXCLUSIVE),),
            (Want('one', limit=1, mode=EXCLUSIVE), Want('three', limit=3, count=2)),
        ]
    )

    @rule(which=st.integers(0, MASTERS - 1), several=st.lists(wants, min_size=1, max_size=3))
    def some_want(self, which, several):
        master = self.masters[which]
        for wants in several:
            if not master.paused and not master.lost:
                self.names += 1
                owner = Owner(f'o{self.names}', wants)
                master.owners.append(owner)
                self.ask(master, owner)

    @rule(which=st.integers(0, MASTERS - 1), pick=st.integers(0, 5))
    def asks_again(self, which, pick):
        master = self.masters[which]
        waiting = [owner for owner in master.owners if not owner.holds]
        if not master.paused and not master.lost and waiting:
            self.ask(master, waiting[pick % len(waiting)])

    @rule(which=st.integers(0, MASTERS - 1), pick=st.integers(0, 5))
    def gives_back(self, which, pick):
        master = self.masters[which]
        having = [owner for owner in master.owners if owner.holds]
        if not master.paused and having:
            owner = having[pick % len(having)]
            master.owners.remove(owner)
            master.member.give_back(owner.name)

    @rule(which=st.integers(0, MASTERS - 1), pick=st.integers(0, 5))
    def stops_waiting(self, which, pick):
        master = self.masters[which]
        waiting = [owner for owner in master.owners if not owner.holds]
        if not master.paused and waiting:
            owner = waiting[pick % len(waiting)]
            master.owners.remove(owner)
            master.member.stop_waiting(owner.name)

    @rule(which=st.integers(0, MASTERS - 1), pick=st.integers(0, 5))
    def hands_over(self, which, pick):
        master = self.masters[which]
        having = [owner for owner in master.owners if owner.holds]
        if not master.paused and having:
            owner = having[pick % len(having)]
            old, owner.name = owner.name, f'{owner.name}b'
            done = master.member.hand_over(old, owner.name)
            assert done in {0, len(owner.wants)}
            assert done or self.now > master.sure_until, 'it was sure of what it had lost'

    def ask(self, master, owner):
        try:
            answer = master.member.take(owner.name, *owner.wants)
        except LostLeaseError:
            assert self.now > master.beat_at + LEASE
            return
        assert self.now <= master.beat_at + LEASE
        if isinstance(answer, Taken):
            self.check_order(master, owner)
            owner.holds, owner.since = True, None
        else:
            owner.since = self.now if owner.since is None else owner.since
            owner.asked = self.now

    # what always holds

    @precondition(lambda self: hasattr(self, 'engine'))
    @invariant()
    def no_limit_is_exceeded_among_those_whose_lease_holds(self):
        self.check_limits(lambda master: self.now <= master.beat_at + LEASE and not master.lost)

    @precondition(lambda self: hasattr(self, 'engine'))
    @invariant()
    def no_limit_is_exceeded_among_those_that_are_sure(self):
        self.check_limits(lambda master: self.now < master.sure_until)

    def check_limits(self, counts):
        for lock, limit in LIMITS.items():
            units = sum(
                owner.units_of(lock)
                for master in self.masters
                if counts(master)
                for owner in master.owners
                if owner.holds
            )
            assert units <= limit, f'{units} of {lock}'

    @precondition(lambda self: hasattr(self, 'engine'))
    @invariant()
    def the_rows_never_exceed_a_limit(self):
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(UNIT)).mappings().all()
        for name, limit in LIMITS.items():
            here = [row for row in rows if row['lock_id'] == Want(name).key.id]
            alone = [row for row in here if row['mode'] == EXCLUSIVE]
            assert len(here) == 1 if alone else sum(row['units'] for row in here) <= limit

    def check_order(self, master, owner):
        """Of those that want one lock, none that waits for longer could have it no more."""
        for want in owner.wants:
            for other in self.waiters():
                if other is owner or len(other.wants) > 1 or other.wants[0].lock != want.lock:
                    continue
                if other.since >= (self.now if owner.since is None else owner.since):
                    continue
                assert self.fits(other, besides=owner), f'{owner} overtakes {other}'

    def waiters(self):
        for master in self.masters:
            if not master.lost and self.now <= master.beat_at + LEASE:
                for owner in master.owners:
                    if owner.since is not None and owner.asked >= self.now - STALE + 0.25:
                        yield owner

    def fits(self, other, besides):
        (want,) = other.wants
        taken = besides.units_of(want.lock)
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(UNIT)).mappings().all()
        for row in rows:
            if row['lock_id'] == want.key.id and row['owner'] != besides.name:
                taken += LIMITS[want.lock] if row['mode'] == EXCLUSIVE else row['units']
        return taken + other.units_of(want.lock) <= LIMITS[want.lock]

    # in the end

    def come_to_rest(self):
        """All go on, no one wants more; each that waits is served within so many rounds."""
        lot = random.Random(7)
        for master in self.masters:
            master.paused = False
            if master.lost or not master.member.beat():
                master.begin(self.now)
            master.beat_at = self.now
            master.heard = []
        rounds = 20 + 3 * sum(len(master.owners) for master in self.masters)
        for _ in range(rounds):
            self.now += 4.0
            for master in lot.sample(self.masters, MASTERS):
                assert master.member.beat()
                master.beat_at = self.now
                master.member.end_dead()
                for owner in list(master.owners):
                    if owner.holds:
                        master.owners.remove(owner)
                        master.member.give_back(owner.name)
                    else:
                        self.ask(master, owner)
                    self.no_limit_is_exceeded_among_those_whose_lease_holds()
        assert not any(master.owners for master in self.masters), 'somebody waits for ever'
        with self.engine.connect() as connection:
            for table in (UNIT, WAITER):
                assert connection.execute(sa.select(table)).all() == []


TestLeases = Leases.TestCase
TestLeases.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
