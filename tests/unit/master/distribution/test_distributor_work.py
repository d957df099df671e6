# SPDX-License-Identifier: GPL-2.0-or-later
"""How many requests are looked at when something happens: those that it can help, and few more."""

from __future__ import annotations

from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from support.distributor_site import NOW
from support.distributor_site import RECHECK
from support.distributor_site import Site
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.locks.group import WorkerGroupLock

MANY = 200
FEW = 4  # looks beside those that led to a start


class Case(SynchronousTestCase):
    def make(self, workers=None, most=1, **settings):
        workers = workers or {'a': ['w1', 'w2'], 'b': ['w1', 'w2', 'w3']}
        names = sorted({name for some in workers.values() for name in some})
        self.site = Site(workers, dict.fromkeys(names, most), **settings)
        self.addCleanup(self.site.stop)
        self.distributor = self.site.distributor
        self.number = 0

    def submit(self, builder, **more):
        self.number += 1
        self.site.submit(self.number, builder, **more)

    def looks(self, event, *args):
        """That it takes beside the starts."""
        self.site.looks.clear()
        before = len(self.site.started)
        event(*args)
        self.site.settle()
        return len(self.site.looks) - (len(self.site.started) - before)

    def build_of(self, builder):
        return self.site.builders[builder].building[0]


class Busy(Case):
    def test_a_request_that_comes_while_all_workers_are_busy_costs_no_look(self):
        self.make()
        for _ in range(3):
            self.submit('b')
        self.submit('b')  # the last one is looked at in vain
        for _ in range(MANY):
            self.assertEqual(self.looks(self.submit, 'b'), 0)

    def test_a_worker_that_comes_free_costs_one_look_for_each_start(self):
        self.make()
        for _ in range(MANY):
            self.submit('b')
            self.submit('a')
        for _ in range(5):
            build = self.site.builds()[0]
            self.assertLessEqual(self.looks(self.site.finish, build), FEW)

    def test_the_beat_costs_one_look_for_each_builder(self):
        self.make()
        for _ in range(MANY):
            self.submit('b')
            self.submit('a')
        self.assertLessEqual(self.looks(self.site.clock.advance, RECHECK), FEW)

    def test_a_worker_that_is_wanted_by_name_costs_those_that_name_it(self):
        self.make({'b': ['w1', 'w2']})
        self.submit('b', workername='w2')
        for _ in range(MANY):
            self.submit('b', workername='w2')
        build = self.build_of('b')
        self.assertLessEqual(self.looks(self.site.finish, build), FEW)

    def test_workers_that_change_cost_nothing_to_requests_that_name_another(self):
        self.make({'b': ['w1', 'w2', 'w3']})
        for _ in range(MANY):
            self.submit('b', workername='w3')
        looks = [
            self.looks(self.distributor.worker_changed, name) for name in ('w1', 'w2') for _ in '12'
        ]
        self.assertLessEqual(max(looks), FEW)

    def test_the_time_costs_those_whose_moment_has_come(self):
        self.make({'b': ['w1', 'w2', 'w3']})
        for number in range(MANY):
            self.submit('b', not_before=NOW + 1000 + number)
        self.submit('b', not_before=NOW + 10)
        self.assertEqual(self.looks(self.site.clock.advance, 9), 0)
        self.assertLessEqual(self.looks(self.site.clock.advance, 1), FEW)
        self.assertEqual(len(self.site.started), 1)


class Locked(Case):
    def setUp(self):
        super().setUp()
        self.make({'l': ['w1', 'w2', 'w3'], 'a': ['w1', 'w2', 'w3']})
        self.site.use_lock('l')
        for _ in range(MANY):
            self.submit('l')
        self.site.settle()

    def test_requests_that_wait_for_a_lock_cost_nothing_while_other_things_happen(self):
        def other_things():
            self.submit('a')
            self.site.finish(self.build_of('a'))
            self.distributor.worker_changed('w2')
            self.site.detach('w3')
            self.site.attach('w3')

        for _ in range(5):
            self.assertLessEqual(self.looks(other_things), FEW)


class Released(Case):
    """MANY wait for one lock; each release of it lets in one."""

    RELEASES = 10
    A_RELEASE = 3  # looks beside the start, at most

    def wait_for(self, *accesses, builders=1):
        workers = ['w1', 'w2', 'w3']
        self.make({f'b{number}': workers for number in range(builders)})
        for name in self.site.builders:
            self.site.use_lock(name, *accesses)
        self.site.configure()
        for number in range(MANY):
            self.submit(f'b{number % builders}', branch='x')
        self.site.settle()

    def let_go(self):
        build = self.site.builds()[0]
        self.site.release_locks(build)
        self.site.finish(build)

    def check(self):
        before = len(self.site.started)
        looks = [self.looks(self.let_go) for _ in range(self.RELEASES)]
        self.assertEqual(len(self.site.started), before + self.RELEASES)
        self.assertLessEqual(sum(looks), self.A_RELEASE * self.RELEASES)

    def test_of_the_master(self):
        self.wait_for(MasterLock('m').access('exclusive'))
        self.check()
        self.assertLessEqual(len(self.site.looks), 1)

    def test_of_the_master_with_several_units(self):
        self.wait_for(MasterLock('m', maxCount=2).access('counting'))
        self.check()

    def test_of_the_master_for_many_builders(self):
        self.wait_for(MasterLock('m').access('exclusive'), builders=50)
        self.check()

    def test_of_a_branch(self):
        self.wait_for(BranchLock('v').access('exclusive'))
        self.check()

    def test_of_a_branch_for_many_builders(self):
        self.wait_for(BranchLock('v').access('exclusive'), builders=50)
        self.check()

    def test_of_a_group_of_workers(self):
        groups = dict.fromkeys(['w1', 'w2', 'w3'], 'g')
        self.wait_for(WorkerGroupLock('h', workerToGroup=groups).access('counting'))
        self.check()

    def test_of_a_group_of_workers_for_many_builders(self):
        groups = dict.fromkeys(['w1', 'w2', 'w3'], 'g')
        self.wait_for(WorkerGroupLock('h', workerToGroup=groups).access('counting'), builders=50)
        self.check()

    def test_of_the_master_and_a_branch(self):
        self.wait_for(MasterLock('m').access('exclusive'), BranchLock('v').access('exclusive'))
        self.let_go()  # by and by each is put in the line of its branch
        self.check()

    def test_of_workers(self):
        self.make({'a': ['w1', 'w2'], 'b': ['w1', 'w2']}, most=2)
        for name in 'ab':
            self.site.use_lock(name, WorkerLock('jtag').access('exclusive'))
        self.site.configure()
        for _ in range(MANY // 2):
            self.submit('a')
            self.submit('b')
        self.check()

    def test_requests_that_come_while_it_is_held_cost_no_look(self):
        self.wait_for(MasterLock('m').access('exclusive'))
        self.assertEqual([self.looks(self.submit, 'b0') for _ in range(10)], [0] * 10)


class Unnamed(Case):
    def test_a_wake_of_a_builder_asks_its_own_requests_only(self):
        self.make({'a': ['w1'], 'b': ['w2']})
        for _ in range(10):
            self.submit('a')
            self.site.closed.add(self.number + 1)
            self.submit('b')
        self.site.closed.update(range(100))
        self.site.settle()
        self.site.looks.clear()
        self.distributor.maybeStartBuildsOn(['a'])
        builders = {self.site.backlog.breqs[one].buildername for one in self.site.looks}
        self.assertLessEqual(builders, {'a'})
