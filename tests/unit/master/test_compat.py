# SPDX-License-Identifier: GPL-2.0-or-later
"""Pins, on the Buildbot that is installed, each thing that compat.py relies on."""

from __future__ import annotations

import contextvars
import inspect
from types import SimpleNamespace

from buildbot.db.buildrequests import BuildRequestModel
from buildbot.interfaces import ILatentWorker
from buildbot.locks import BaseLock
from buildbot.locks import MasterLock
from buildbot.process.build import Build
from buildbot.process.builder import Builder
from buildbot.process.buildrequest import BuildRequest
from buildbot.process.buildrequestdistributor import BuildRequestDistributor
from buildbot.process.workerforbuilder import States
from buildbot.test.fake.latent import ControllableLatentWorker
from buildbot.util import eventual
from buildbot.util.service import BuildbotServiceManager
from buildbot.worker import AbstractLatentWorker
from buildbot.worker import Worker
from buildbot.worker.local import LocalWorker
from buildbot.worker.manager import WorkerManager
from buildbot.worker.protocols import msgpack
from buildbot.worker.protocols import null
from buildbot.worker.protocols import pb
from buildbot.worker.protocols.manager.msgpack import BuildbotWebSocketServerProtocol
from support.masterparts import make_master
from support.masterparts import make_place
from support.masterparts import make_workers
from twisted.internet import defer
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master import compat


class Requests(SynchronousTestCase):
    def test_unclaimed_requests_may_be_a_result_or_a_plain_list(self):
        rows = [{'buildrequestid': 1}]
        self.assertEqual(compat.unclaimed(rows), rows)
        self.assertEqual(compat.unclaimed(SimpleNamespace(data=rows)), rows)

    def test_the_list_is_our_own(self):
        rows = [1]
        compat.unclaimed(rows).append(2)
        self.assertEqual(rows, [1])

    def test_whether_somebody_waits_for_a_request_has_a_name_in_either_version(self):
        for name in ('waitedFor', 'waited_for'):
            self.assertTrue(compat.waited_for(SimpleNamespace(**{name: 1})))
            self.assertFalse(compat.waited_for(SimpleNamespace(**{name: 0})))

    def test_the_installed_request_has_one_of_them(self):
        source = inspect.getsource(BuildRequest)
        self.assertTrue('waitedFor' in source or 'waited_for' in source)
        self.assertIn('waited_for', BuildRequestModel.__annotations__)


class Workers(SynchronousTestCase):
    def setUp(self):
        self.workers = make_workers('w1', 'w2')
        self.worker = self.workers['w1']
        self.master = make_master(self.workers)

    def test_a_new_worker_is_none_of_these(self):
        for asked in (
            compat.is_latent,
            compat.is_paused,
            compat.is_graceful,
            compat.is_quarantined,
        ):
            self.assertIs(asked(self.worker), False, asked)

    def test_a_latent_worker_is_one(self):
        self.assertTrue(ILatentWorker.implementedBy(AbstractLatentWorker))
        latent = ControllableLatentWorker('w', SimpleNamespace(build_wait_timeout=0))
        self.assertTrue(compat.is_latent(latent))

    def test_a_paused_one_is_paused(self):
        self.worker._paused = True
        self.assertTrue(compat.is_paused(self.worker))
        self.assertFalse(self.worker.canStartBuild())

    def test_one_that_shuts_down_is_graceful(self):
        self.patch(self.worker, 'maybeShutdown', lambda: None)
        self.patch(self.worker, '_update_graceful', lambda: None)
        self.worker.shutdownRequested()
        self.assertTrue(compat.is_graceful(self.worker))
        self.assertFalse(self.worker.canStartBuild())

    def test_one_in_quarantine_is_quarantined(self):
        self.worker.quarantine_timer = object()
        self.assertTrue(compat.is_quarantined(self.worker))
        self.assertFalse(self.worker.canStartBuild())

    def test_workers_are_found_by_name(self):
        self.assertIs(compat.worker_named(self.master, 'w1'), self.worker)
        self.assertIsNone(compat.worker_named(self.master, 'w9'))
        self.assertEqual(compat.all_workers(self.master), list(self.workers.values()))

    def test_the_manager_has_workers_and_connections_by_name(self):
        manager = WorkerManager(SimpleNamespace())
        self.assertEqual((manager.connections, manager.workers), ({}, {}))

    def test_a_worker_has_the_attributes_that_the_fleet_reads(self):
        for name in ('conn', 'worker_commands', 'workerforbuilders', 'max_builds', 'workername'):
            self.assertTrue(hasattr(self.worker, name), name)
        self.assertIs(self.worker.builds_may_be_incompatible, False)
        self.assertIsNone(self.worker.conn)


class Places(SynchronousTestCase):
    def setUp(self):
        self.workers = make_workers('w1')
        self.worker = self.workers['w1']
        self.place = make_place(self.worker)

    def test_a_place_runs_a_build_from_its_mark_to_its_end(self):
        self.patch(self.worker, 'buildFinished', lambda place: None)
        self.assertFalse(compat.runs_a_build(self.place))
        self.place.buildStarted()
        self.assertEqual(self.place.state, States.BUILDING)
        self.assertTrue(compat.runs_a_build(self.place))
        self.place.buildFinished()
        self.assertFalse(compat.runs_a_build(self.place))

    def test_a_place_that_is_not_attached_yet_is_busy_and_runs_nothing(self):
        self.assertEqual(self.place.state, States.DETACHED)
        self.assertTrue(self.place.isBusy())
        self.assertFalse(compat.runs_a_build(self.place))

    def test_the_build_on_a_place_is_the_newest_of_its_builder(self):
        builds = [SimpleNamespace(workerforbuilder=one) for one in (self.place, object())]
        builder = SimpleNamespace(building=builds)
        self.assertIs(compat.build_on(builder, self.place), builds[0])
        builds.append(SimpleNamespace(workerforbuilder=self.place))
        self.assertIs(compat.build_on(builder, self.place), builds[2])
        self.assertIsNone(compat.build_on(builder, object()))

    def test_builds_go_on_until_their_end_also_those_of_a_builder_that_left_the_config(self):
        master = make_master(self.workers)

        class Builder:
            def __init__(self, *building):
                self.building = building

        def build(finished=False):
            return SimpleNamespace(workername='w1', workerforbuilder=object(), finished=finished)

        kept, left = build(), build()
        preparing = SimpleNamespace(workername=None, workerforbuilder=None, finished=False)
        master.botmaster.builders['b'] = Builder(kept, build(finished=True), preparing)
        self.place.builder = Builder(left)
        found = list(compat.builds_going_on(master))
        self.assertEqual({id(one) for _, _, one in found}, {id(kept), id(left)})
        self.assertEqual({name for name, _, _ in found}, {'w1'})

    def test_buildbot_sets_the_name_of_a_builds_worker_before_the_first_step(self):
        source = inspect.getsource(Build)
        self.assertIn('self.workername = ', source)
        self.assertIn('self.workerforbuilder', source)
        self.assertIs(Build.finished, False)


class Connections(SynchronousTestCase):
    def test_only_the_connection_of_a_local_worker_is_null(self):
        worker = LocalWorker('w1')
        self.assertTrue(compat.is_null(null.Connection(worker)))
        self.assertFalse(compat.is_null(object()))
        self.assertFalse(issubclass(pb.Connection, null.Connection))
        self.assertFalse(issubclass(msgpack.Connection, null.Connection))

    def test_only_msgpack_has_receivers_by_command_id(self):
        master = SimpleNamespace(reactor=None)
        protocol = SimpleNamespace(command_id_to_command_map={})
        connection = msgpack.Connection(master, Worker('w1', 'pw'), protocol)
        self.assertIs(compat.commands_by_id(connection), protocol.command_id_to_command_map)
        self.assertIsNone(compat.commands_by_id(null.Connection(LocalWorker('w1'))))
        mind = SimpleNamespace()
        self.assertIsNone(compat.commands_by_id(pb.Connection(master, Worker('w1', 'pw'), mind)))

    def test_an_update_reaches_the_receiver_of_its_id(self):
        got, sent = [], []
        protocol = BuildbotWebSocketServerProtocol()
        protocol.debug = False
        receiver = SimpleNamespace(remote_update_msgpack=got.append)
        protocol.command_id_to_command_map = {'buildbot-balancer': receiver}
        self.patch(protocol, 'send_response_msg', lambda *args: sent.append(args[1:]))
        for command_id in ('buildbot-balancer', 'unknown'):
            message = {'op': 'update', 'command_id': command_id, 'args': ['x'], 'seq_number': 1}
            defer.ensureDeferred(protocol.call_update(message))
        self.assertEqual(got, [['x']])
        self.assertEqual(sent[0], (None, False))
        self.assertIs(sent[1][1], True)


class Services(SynchronousTestCase):
    def test_a_service_of_the_config_is_found_by_its_name(self):
        manager = BuildbotServiceManager()
        service = object()
        manager.namedServices['balancer'] = service
        master = SimpleNamespace(service_manager=manager)
        self.assertIs(compat.service_named(master, 'balancer'), service)
        self.assertIsNone(compat.service_named(master, 'other'))
        self.assertIsNone(compat.service_named(SimpleNamespace(), 'balancer'))


class Failures(SynchronousTestCase):
    def test_an_error_that_was_caught_keeps_its_traceback(self):
        def raises():
            return {}['x']

        try:
            raises()
        except KeyError as e:
            found = compat.failure_of(e)
        self.assertIsInstance(found.value, KeyError)
        self.assertIn('raises', found.getTraceback())


class Starts(SynchronousTestCase):
    """What the order of Buildbot's own calls must be."""

    def position(self, source: str, *texts: str) -> list[int]:
        found = [source.find(text) for text in texts]
        self.assertNotIn(-1, found, texts)
        return found

    def test_a_place_is_marked_when_its_build_is_known_and_has_done_nothing(self):
        source = inspect.getsource(Builder._startBuildFor)
        found = self.position(
            source, 'self.building.append(build)', '.buildStarted()', 'build.startBuild'
        )
        self.assertEqual(found, sorted(found))

    def test_a_build_asks_for_its_workers_locks_in_the_context_in_which_it_was_started(self):
        context = contextvars.ContextVar('context', default='none')
        seen = []

        @defer.inlineCallbacks
        def start():
            yield waiting
            seen.append(context.get())

        def begin():
            context.set('ours')
            return start()

        waiting = defer.Deferred()
        contextvars.copy_context().run(begin)
        waiting.callback(None)
        self.assertEqual((seen, context.get()), (['ours'], 'none'))
        self.assertIn('worker.acquireLocks()', inspect.getsource(Build.startBuild))

    def test_the_newest_build_is_that_of_the_requests(self):
        requests = [object()]
        build = SimpleNamespace(requests=requests)
        wfb = SimpleNamespace(builder=SimpleNamespace(building=[build]))
        self.assertIs(compat.newest_build(wfb, requests), build)
        self.assertIsNone(compat.newest_build(wfb, [object()]))
        self.assertIsNone(compat.newest_build(SimpleNamespace(builder=None), requests))

    def test_a_lock_that_opens_wakes_its_waiters_and_tells_its_subscribers(self):
        lock = BaseLock('l', 1)
        told = []
        lock.subscribeToReleases(lambda: told.append('released'))
        owner, access = object(), MasterLock('l').access('exclusive')
        lock.claim(owner, access)
        waiting = lock.waitUntilMaybeAvailable('waiter', access)
        lock._removeOwner(owner, access)
        compat.lock_opened(lock)
        self.assertEqual(told, ['released'])
        eventual._theSimpleQueue._turn()
        self.assertTrue(waiting.called)

    def test_a_request_that_is_made_has_what_a_build_reads_of_it(self):
        made = compat.build_request(
            id=7, bsid=1, builderid=2, buildername='b', priority=3, submitted_at=4,
            waited_for=True, master=None, reason='r', properties=None, sources={},
        )  # fmt: skip
        self.assertEqual((made.id, made.priority, compat.waited_for(made)), (7, 3, True))
        self.assertIsInstance(made, BuildRequest)

    def test_the_distributor_has_the_lock_that_is_held_while_it_chooses(self):
        self.assertIn('activity_lock', inspect.getsource(BuildRequestDistributor))
