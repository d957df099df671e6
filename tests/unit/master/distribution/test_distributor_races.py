# SPDX-License-Identifier: GPL-2.0-or-later
"""What happens while a hook of the config, or the database, has not answered yet."""

from __future__ import annotations

from support.distributor_site import NOW
from support.distributor_site import RECHECK
from support.distributor_site import Site
from twisted.internet import defer
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.locks.group import WorkerGroupLock


class Case(SynchronousTestCase):
    def make(self, workers=None, most=None, **settings):
        workers = workers or {'a': ['w1', 'w2'], 'b': ['w2', 'w3']}
        names = sorted({name for some in workers.values() for name in some})
        self.site = Site(workers, most or dict.fromkeys(names, 1), **settings)
        self.addCleanup(self.site.stop)
        self.distributor = self.site.distributor
        return self.site

    def ask(self, request):
        """Its canStartBuild waits from now on."""
        self.site.asking[request] = []

    def answer(self, request, said):
        """All that was asked; who is asked later gets the answer at once."""
        asked = self.site.asking.pop(request)
        if not said:
            self.site.closed.add(request)
        for one in asked:
            if not one.called:
                one.callback(said)

    def pause(self, name, on=True):
        self.site.workers[name]._paused = on
        self.distributor.worker_changed(name)


class Hooks(Case):
    def test_one_that_waits_holds_up_its_own_builder_only(self):
        self.make()
        self.ask(1)
        self.site.submit(1, 'a')
        self.site.submit(2, 'a')
        self.site.submit(3, 'b')
        self.site.clock.advance(0.11)
        self.assertEqual([one for one, _ in self.site.started], [3])
        self.answer(1, said=True)
        self.assertEqual([one for one, _ in self.site.started], [3, 1, 2][: len(self.site.started)])
        self.assertIn((1, 'w1'), self.site.started)

    def test_a_worker_that_comes_meanwhile_is_asked_about_too(self):
        self.make({'a': ['w1', 'w2']})
        self.pause('w2')
        self.ask(1)
        self.site.submit(1, 'a', workername='w1')
        self.site.submit(2, 'a', workername='w2', not_before=NOW + 1000)
        self.site.submit(3, 'a', workername='w2')
        self.pause('w2', on=False)
        self.answer(1, said=False)
        self.site.settle()
        self.assertEqual(self.site.started, [(3, 'w2')])

    def test_a_worker_that_is_free_again_while_it_is_looked_at_is_not_forgotten(self):
        """The one is looked at on w2; w1, for which it waits, changes in the middle of that."""
        self.make({'a': ['w1', 'w2']})
        self.pause('w1')
        self.ask(1)
        self.site.submit(1, 'a')
        self.assertEqual(len(self.site.asking[1]), 1)
        self.pause('w1', on=False)
        self.site.asking[1][0].callback(False)
        self.site.settle()
        self.answer(1, said=True)  # it was asked about w1, too
        self.assertEqual(self.site.started, [(1, 'w1')])

    def test_a_wake_of_its_builder_while_it_is_looked_at_is_not_lost(self):
        self.make({'a': ['w1']})
        self.ask(1)
        self.site.submit(1, 'a')
        self.distributor.maybeStartBuildsOn(['a'])  # it would say yes from now on
        asked = self.site.asking.pop(1)
        asked[0].callback(False)
        self.site.settle()
        self.assertEqual(self.site.started, [(1, 'w1')])

    def test_a_request_that_is_cancelled_while_it_is_looked_at_is_not_parked(self):
        self.make()
        self.ask(1)
        self.site.submit(1, 'a')
        self.site.queue.discard(1)
        self.answer(1, said=False)
        self.assertEqual(len(self.distributor.parking), 0)
        self.assertNotIn(1, self.distributor.agenda)

    def test_a_request_that_goes_while_it_is_looked_at_is_in_no_line(self):
        """Nobody would look at it again, and what it is offered would be kept for it."""
        self.make({'a': ['w1', 'w2'], 'b': ['w1']}, most={'w1': 2, 'w2': 1})
        lock = WorkerGroupLock('h').access('counting')
        self.site.use_lock('a', lock)
        self.site.use_lock('b', lock)
        self.site.submit(1, 'b')
        self.ask(2)
        self.site.submit(2, 'a')
        self.assertEqual(len(self.site.asking[2]), 1)  # on w2, for the lock of w1 is held
        self.site.queue.discard(2)
        self.answer(2, said=False)
        self.site.settle()
        self.assertEqual(len(self.site.engine.lines), 0)

    def test_workers_that_a_reconfig_brings_while_it_is_looked_at_may_take_it(self):
        self.make({'a': ['w1'], 'b': ['w2']})
        self.ask(1)
        self.site.submit(1, 'a')
        self.site.reconfigure('a', ['w1', 'w2'])
        self.pause('w1')
        asked = self.site.asking.pop(1)
        asked[0].callback(False)
        self.distributor.worker_changed('w2')
        self.site.settle()
        self.assertEqual(self.site.started, [(1, 'w2')])

    def test_a_stop_waits_for_no_hook_however_many_workers_there_are(self):
        self.make({'a': ['w1', 'w2']})
        self.ask(1)
        self.site.submit(1, 'a')
        stopped = self.distributor.stopService()
        self.successResultOf(stopped)
        self.flushLoggedErrors(defer.CancelledError)
        self.assertEqual(self.site.started, [])

    def test_after_a_stop_that_was_cancelled_the_time_alone_goes_on_to_help(self):
        self.make({'a': ['w1']})
        self.site.submit(1, 'a', not_before=NOW + 10)
        self.successResultOf(self.distributor.stopService())
        self.distributor.startService()
        self.site.clock.advance(10.1)
        self.assertEqual(self.site.started, [(1, 'w1')])


class Gone(Case):
    def test_one_that_the_database_does_not_have_any_more_stops_nobody(self):
        self.make({'a': ['w1']})
        self.pause('w1')
        self.site.submit(1, 'a')
        self.site.submit(2, 'a')
        del self.site.backlog.breqs[1]
        self.pause('w1', on=False)
        self.site.settle()
        self.assertEqual(self.site.started, [(2, 'w1')])

    def test_a_claim_that_is_lost_frees_the_worker_for_the_next(self):
        self.make({'a': ['w1']})
        claim = self.site.master.data.updates.claimBuildRequests

        async def faster(requests, claimed_at=None):
            await claim(requests)
            return requests != [1]

        self.site.master.data.updates.claimBuildRequests = faster
        self.site.submit(1, 'a')
        self.site.submit(2, 'a')
        self.site.settle()
        self.assertEqual(self.site.started, [(2, 'w1')])
        self.assertEqual(self.site.botmaster.in_progress, {2})


class Claims(Case):
    def hold_claims(self):
        """They are written, and not yet answered."""
        updates, self.claims = self.site.master.data.updates, {}
        claim = updates.claimBuildRequests

        async def slowly(requests, claimed_at=None):
            made = self.claims[requests[0]] = defer.Deferred()
            await made
            return await claim(requests)

        updates.claimBuildRequests = slowly

    def test_a_slow_one_counts_where_builds_are_limited(self):
        self.make({'a': ['w1'], 'b': ['w2']}, max_running={'*': 1})
        self.hold_claims()
        self.site.submit(1, 'a')
        self.site.submit(2, 'b')
        self.site.clock.advance(0.11)
        self.assertEqual(list(self.claims), [1])
        self.claims[1].callback(None)
        self.site.settle()
        self.assertEqual(self.site.started, [(1, 'w1')])

    def test_the_locks_of_a_slow_one_stay_reserved(self):
        self.make({'a': ['w1'], 'b': ['w2']})
        self.site.use_lock('a')
        self.site.use_lock('b')
        self.hold_claims()
        self.site.submit(1, 'a')
        self.site.clock.pump([1.0] * 25)  # a sweep of reservations or two
        self.site.submit(2, 'b')
        self.site.settle()
        self.assertEqual(list(self.claims), [1])
        self.claims[1].callback(None)
        self.site.settle()
        self.assertEqual(self.site.started, [(1, 'w1')])

    def test_a_build_that_cannot_be_made_gives_its_request_back(self):
        self.make({'a': ['w1']})
        unclaimed, builder = [], self.site.builders['a']

        async def unclaim(requests):
            unclaimed.extend(requests)

        def broken(place, breqs):
            raise RuntimeError('a defect')

        self.site.master.data.updates.unclaimBuildRequests = unclaim
        builder.maybeStartBuild = broken
        self.site.submit(1, 'a')
        self.flushLoggedErrors(RuntimeError)
        self.assertEqual(unclaimed, [1])
        self.assertEqual(self.site.botmaster.in_progress, set())

    def test_a_stop_waits_for_the_build_that_was_claimed(self):
        self.make({'a': ['w1']})
        self.hold_claims()
        self.site.submit(1, 'a')
        stopped = self.distributor.stopService()
        self.assertNoResult(stopped)
        self.claims[1].callback(None)
        self.site.clock.pump([0.2] * 20)
        self.successResultOf(stopped)
        self.assertEqual(self.site.started, [(1, 'w1')])
        self.assertEqual(self.flushLoggedErrors(), [])


class Named(Case):
    def test_by_worker_one_that_names_another_than_the_best_starts_at_once(self):
        self.make({'a': ['w1', 'w2']})
        self.distributor.ordering.order = 'worker'
        self.site.submit(1, 'a', workername='w2')
        self.site.settle()
        self.assertEqual(self.site.started, [(1, 'w2')])


class Limits(Case):
    def test_the_end_of_a_build_lets_the_next_one_start_before_any_beat(self):
        self.make({'a': ['w1', 'w2']}, max_running={'a': 1})
        self.site.submit(1, 'a')
        self.site.submit(2, 'a')
        self.assertEqual([one for one, _ in self.site.started], [1])
        self.site.finish(self.site.builds()[0])
        self.site.settle()
        self.assertEqual([one for one, _ in self.site.started], [1, 2])


class Silence(Case):
    """Facts that change and nobody says so."""

    def beat(self):
        self.site.clock.pump([RECHECK / 10] * 12)

    def test_a_worker_that_is_free_unheard_is_found_at_the_beat(self):
        self.make({'a': ['w1']})
        self.pause('w1')
        self.site.submit(1, 'a')
        self.site.workers['w1']._paused = False
        self.site.settle()
        self.assertEqual(self.site.started, [])
        self.beat()
        self.assertEqual(self.site.started, [(1, 'w1')])

    def test_so_it_is_for_one_that_waits_for_that_worker_alone(self):
        self.make({'a': ['w1', 'w2']})
        self.pause('w1')
        self.site.submit(1, 'a', workername='w1')
        self.assertEqual(len(self.distributor.parking), 1)
        self.site.workers['w1']._paused = False
        self.beat()
        self.assertEqual(self.site.started, [(1, 'w1')])

    def test_so_it_is_for_a_canstartbuild_that_turns_true_by_the_clock(self):
        self.make({'a': ['w1']})
        self.site.closed.add(1)
        self.site.submit(1, 'a')
        self.site.closed.discard(1)
        self.site.settle()
        self.assertEqual(self.site.started, [])
        self.beat()
        self.assertEqual(self.site.started, [(1, 'w1')])

    def test_a_shorter_recheck_counts_from_the_reconfig_on(self):
        self.make({'a': ['w1']})
        self.pause('w1')
        self.site.submit(1, 'a')
        self.distributor.configure({'a': frozenset({'w1'})}, recheck=1.0)
        self.site.settle()
        self.site.workers['w1']._paused = False
        self.site.clock.advance(1.1)
        self.assertEqual(self.site.started, [(1, 'w1')])

    def test_a_database_that_fails_for_a_while_delays_a_request_and_loses_none(self):
        self.make({'a': ['w1']})

        async def failing(requests, claimed_at=None):
            raise OSError

        updates = self.site.master.data.updates
        claim, updates.claimBuildRequests = updates.claimBuildRequests, failing
        self.site.submit(1, 'a')
        self.site.clock.pump([1.0] * 20)
        self.assertEqual(self.site.started, [])
        updates.claimBuildRequests = claim
        self.site.clock.pump([1.0] * 6)
        self.assertTrue(self.flushLoggedErrors(OSError))
        self.assertEqual(self.site.started, [(1, 'w1')])
        self.assertEqual(self.site.botmaster.in_progress, {1})

    def test_after_a_clean_shutdown_that_was_cancelled_all_go_on(self):
        self.make({'a': ['w1']})
        self.pause('w1')
        self.site.submit(1, 'a')
        self.distributor.distribute_only_waited_childs = True
        self.pause('w1', on=False)
        self.assertEqual(self.site.started, [])
        self.distributor.distribute_only_waited_childs = False
        self.beat()
        self.assertEqual(self.site.started, [(1, 'w1')])
