# SPDX-License-Identifier: GPL-2.0-or-later
"""TRAPS.md, "Choosing": what the installed Buildbot does, and this package works around."""

from __future__ import annotations

from types import SimpleNamespace

from buildbot.data.base import ListResult
from buildbot.process.buildrequestdistributor import BasicBuildChooser
from buildbot.process.buildrequestdistributor import BuildRequestDistributor
from buildbot.process.workerforbuilder import States
from buildbot.process.workerforbuilder import WorkerForBuilder
from buildbot.util.service import BuildbotService
from buildbot.util.twisted import async_to_deferred
from support.masterparts import make_place
from support.masterparts import make_workers
from support.masters import MasterCase
from twisted.internet import defer
from twisted.trial.unittest import SynchronousTestCase


class StockChooser(SynchronousTestCase):
    """Two requests (1 before 2) and two workers, as strings."""

    def setUp(self):
        self.asked = []
        self.refused = set()

    def next_worker(self, builder, workers, breq):
        self.asked.append((breq.id, sorted(workers)))
        return min(workers)

    def chooser(self, next_worker=None, next_build=None):
        config = SimpleNamespace(nextWorker=next_worker or self.next_worker, nextBuild=next_build)
        builder = SimpleNamespace(
            config=config,
            getAvailableWorkers=lambda: ['w1', 'w2'],
            canStartBuild=lambda worker, breq: (worker, breq.id) not in self.refused,
        )
        made = BasicBuildChooser(builder, SimpleNamespace())
        made.unclaimedBrdicts = ListResult([{'buildrequestid': n, 'priority': 0} for n in (1, 2)])
        made.breqCache = {n: SimpleNamespace(id=n) for n in (1, 2)}
        return made

    def pop(self, chooser):
        worker, breq = self.successResultOf(chooser.popNextBuild())
        return worker, breq and breq.id

    def test_the_oldest_request_gets_what_nextworker_says(self):
        self.assertEqual(self.pop(self.chooser()), ('w1', 1))

    def test_none_from_nextworker_ends_the_pass_so_that_the_requests_behind_are_never_tried(self):
        def next_worker(builder, workers, breq):
            self.asked.append(breq.id)
            return None if breq.id == 1 else workers[0]

        self.assertEqual(self.pop(self.chooser(next_worker)), (None, None))
        self.assertEqual(self.asked, [1])

    def test_a_worker_that_was_refused_is_offered_to_the_next_request_without_asking_again(self):
        self.refused = {('w1', 1), ('w2', 1)}
        self.assertEqual(self.pop(self.chooser()), ('w1', 2))
        self.assertEqual([request for request, _ in self.asked], [1, 1])

    def test_an_exception_in_nextworker_is_logged_and_read_as_none(self):
        def broken(builder, workers, breq):
            raise KeyError('policy')

        self.assertEqual(self.pop(self.chooser(broken)), (None, None))
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_an_exception_in_nextbuild_is_logged_and_read_as_none(self):
        def broken(builder, breqs):
            raise KeyError('policy')

        self.assertEqual(self.pop(self.chooser(next_build=broken)), (None, None))
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_unclaimed_requests_are_looked_at_through_data(self):
        chooser = self.chooser()
        chooser.unclaimedBrdicts = list(chooser.unclaimedBrdicts)
        why = self.failureResultOf(chooser.popNextBuild())
        self.assertIn("'data'", why.getErrorMessage())


class StockDistributor(SynchronousTestCase):
    def setUp(self):
        self.woken, self.calls = [], []
        self.started = []
        updates = SimpleNamespace(
            claimBuildRequests=lambda brids, claimed_at: defer.succeed(True),
            unclaimBuildRequests=lambda brids: defer.succeed(self.calls.append('unclaimed')),
        )
        self.master = SimpleNamespace(
            reactor=SimpleNamespace(seconds=lambda: 0),
            data=SimpleNamespace(updates=updates),
            botmaster=SimpleNamespace(
                add_in_progress_buildrequest=lambda brid: None,
                remove_in_progress_buildrequest=lambda brid: None,
            ),
        )
        botmaster = SimpleNamespace(
            master=self.master, maybeStartBuildsForBuilder=self.woken.append
        )
        self.brd = BuildRequestDistributor(botmaster)
        self.patch(BuildRequestDistributor, 'master', self.master)
        self.builder = SimpleNamespace(name='b')
        pairs = [('w1', [SimpleNamespace(id=1)]), (None, None)]
        self.chooser = SimpleNamespace(chooseNextBuild=lambda: defer.succeed(pairs.pop(0)))

    def distribute(self, starts):
        self.builder.maybeStartBuild = lambda worker, breqs: defer.succeed(starts)
        self.brd.BuildChooser = lambda builder, master: self.chooser
        going = self.brd._maybeStartBuildsOnBuilder(self.builder)
        self.successResultOf(defer.ensureDeferred(going))

    def test_the_chooser_may_be_an_instance_attribute_of_the_distributor(self):
        self.brd.BuildChooser = lambda builder, master: (builder, master)
        self.assertEqual(self.brd.createBuildChooser('b', 'm'), ('b', 'm'))

    def test_maybestartbuild_may_be_an_instance_attribute_of_the_builder(self):
        self.distribute(starts=True)
        self.assertEqual((self.woken, self.calls), ([], []))

    def test_a_build_that_did_not_start_wakes_the_distributors_own_name_and_not_the_builder(self):
        self.brd.name = 'the distributor'
        self.distribute(starts=False)
        self.assertEqual(self.calls, ['unclaimed'])
        self.assertEqual(self.woken, ['the distributor'])


class Places(SynchronousTestCase):
    def setUp(self):
        self.worker = make_workers('w1')['w1']
        self.place = make_place(self.worker)
        self.place.state = States.AVAILABLE

    def test_a_place_asks_the_instance_attribute_of_its_worker(self):
        self.worker.canStartBuild = lambda: True
        self.assertTrue(self.place.isAvailable())
        self.worker.canStartBuild = lambda: False
        self.assertFalse(self.place.isAvailable())

    def test_the_end_of_a_build_is_told_to_the_instance_attribute_of_its_worker(self):
        told = []
        self.worker.buildFinished = told.append
        self.place.buildFinished()
        self.assertEqual(told, [self.place])

    def test_the_end_of_a_build_whose_worker_is_gone_is_told_to_nobody(self):
        told = []
        self.worker.buildFinished = told.append
        self.place.worker = None
        self.place.buildFinished()
        self.assertEqual(told, [])

    def test_a_place_is_busy_before_it_is_attached(self):
        fresh = WorkerForBuilder(SimpleNamespace(name='b'))
        self.assertEqual(fresh.state, States.DETACHED)
        self.assertTrue(fresh.isBusy())


class Recording(BuildbotService):
    name = 'recording'

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.seen = []

    def reconfigService(self, *args, **kwargs):
        self.seen.append(args)
        return defer.succeed(None)


class AtStart(BuildbotService):
    """Keeps what of the config the master has when it is first configured."""

    name = 'at-start'

    def reconfigService(self):
        self.builders = sorted(self.master.botmaster.builders)
        self.workers = sorted(self.master.workers.workers)
        return defer.succeed(None)


class Services(SynchronousTestCase):
    def setUp(self):
        self.patch(Recording, 'master', None)

    def test_a_service_is_compared_with_its_first_arguments_for_ever(self):
        service = Recording('A')
        for arguments in ('A', 'B', 'A'):
            sibling = service if not service.configured else Recording(arguments)
            self.successResultOf(service.reconfigServiceWithSibling(sibling))
        self.assertEqual(service.seen, [('A',), ('B',)])  # the way back to A is lost

    def test_one_whose_arguments_did_not_change_is_not_reconfigured(self):
        service = Recording('A')
        for _ in range(2):
            self.successResultOf(service.reconfigServiceWithSibling(service))
        self.assertEqual(service.seen, [('A',)])


class OnARealMaster(MasterCase):
    @async_to_deferred
    async def test_services_come_after_builders_and_before_workers(self):
        service = AtStart()
        await self.start(connect=False, services=[service])
        master = self.master
        order = (master.botmaster, master.service_manager, master.workers)
        priorities = [one.reconfig_priority for one in order]
        self.assertEqual(priorities, sorted(priorities, reverse=True))
        self.assertEqual(len(set(priorities)), 3)
        found = master.service_manager.namedServices['at-start']
        self.assertEqual(found.builders, ['b'])
        self.assertEqual(found.workers, [])
        self.assertEqual(sorted(master.workers.workers), ['w1', 'w2'])

    @async_to_deferred
    async def test_what_a_chooser_fetches_has_data(self):
        await self.start(connect=False)
        await self.request()
        chooser = BasicBuildChooser(self.master.botmaster.builders['b'], self.master)
        await chooser._fetchUnclaimedBrdicts()
        self.assertEqual(len(chooser.unclaimedBrdicts.data), 1)
        row = chooser.unclaimedBrdicts.data[0]
        self.assertLessEqual({'buildrequestid', 'priority', 'submitted_at'}, set(row))

    @async_to_deferred
    async def test_a_worker_and_a_builder_that_did_not_change_outlive_a_reconfig(self):
        await self.start(connect=False)
        before = (self.buildbot_worker('w1'), self.master.botmaster.builders['b'])
        changed = self.make_config(('w1', 'w2', 'w3'))
        self.config.update(workers=changed['workers'], builders=changed['builders'])
        self.master.config_loader.config_dict = self.config
        await self.master.reconfig()
        self.assertIn('w3', self.master.workers.workers)
        after = (self.buildbot_worker('w1'), self.master.botmaster.builders['b'])
        for one, other in zip(before, after):
            self.assertIs(one, other)
