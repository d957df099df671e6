# SPDX-License-Identifier: GPL-2.0-or-later
"""TRAPS.md, "Workers": what the installed Buildbot does when a worker attaches."""

from __future__ import annotations

from types import SimpleNamespace

from buildbot.process.remotecommand import RemoteCommand
from buildbot.util.twisted import async_to_deferred
from buildbot_worker.bot import LocalWorker
from buildbot_worker.bot import Worker
from support.masterparts import make_workers
from support.masters import MSGPACK
from support.masters import MasterCase
from twisted.internet import defer
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.workers.link import COMMAND_ID


class AttachingOnPb(MasterCase):
    """Stock masters and stock workers."""

    proto = 'pb'

    async def begin(self, *names):
        await self.start(names=names or ('w1',), connect=False)

    @async_to_deferred
    async def test_files_in_info_are_read_only_while_a_worker_attaches(self):
        await self.begin()
        info = self.worker_dir('w1') / 'info'
        info.mkdir(parents=True)
        (info / 'said').write_text('before\n')
        await self.connect('w1', reporter=False)
        (info / 'said').write_text('after\n')
        self.assertEqual(self.buildbot_worker('w1').conn.info['said'], 'before\n')
        await self.disconnect('w1')
        await self.connect('w1', reporter=False)
        self.assertEqual(self.buildbot_worker('w1').conn.info['said'], 'after\n')

    @async_to_deferred
    async def test_a_graceful_shutdown_is_forgotten_at_the_next_attach(self):
        await self.begin()
        await self.connect('w1', reporter=False)
        made = self.buildbot_worker('w1')
        made._graceful = True
        self.assertFalse(made.canStartBuild())
        await self.disconnect('w1')
        self.assertTrue(made._graceful)
        await self.connect('w1', reporter=False)
        self.assertFalse(made._graceful)

    @async_to_deferred
    async def test_connected_is_heard_when_the_connection_is_known_and_before_builds_start(self):
        await self.begin()
        made = self.buildbot_worker('w1')
        order = []

        def connected(key, message):
            known = self.master.workers.connections.get('w1')
            order.append(('connected', message['name'], known is made.conn is not None))

        consumer = await self.master.mq.startConsuming(connected, ('workers', None, 'connected'))
        stock = self.master.botmaster.maybeStartBuildsForWorker

        def starts(name):
            order.append(('starts', name))
            return stock(name)

        self.patch(self.master.botmaster, 'maybeStartBuildsForWorker', starts)
        await self.connect('w1', reporter=False)
        await self.until(lambda: ('starts', 'w1') in order)
        consumer.stopConsuming()
        self.assertEqual(order[:2], [('connected', 'w1', True), ('starts', 'w1')])

    @async_to_deferred
    async def test_the_commands_that_a_worker_names_are_known_from_its_attach_on(self):
        await self.begin()
        self.assertFalse(self.buildbot_worker('w1').worker_commands)
        await self.connect('w1', reporter=False)
        commands = self.buildbot_worker('w1').worker_commands
        self.assertIn('shell', commands)
        stock = self.workers['w1'].bot.remote_getCommands()
        self.assertEqual(dict(commands), stock)

    @async_to_deferred
    async def test_a_message_of_a_master_reaches_the_instance_attribute_of_the_bot(self):
        await self.begin()
        await self.connect('w1', reporter=False)
        got = []
        self.workers['w1'].bot.remote_print = lambda message: got.append(('our', message))
        await self.buildbot_worker('w1').conn.remotePrint(message='hello')
        self.assertEqual(got, [('our', 'hello')])

    @async_to_deferred
    async def test_the_end_of_a_connection_is_told_once_to_who_asked_for_it(self):
        await self.begin()
        await self.connect('w1', reporter=False)
        told = []
        self.buildbot_worker('w1').conn.notifyOnDisconnect(lambda: told.append('lost'))
        await self.disconnect('w1')
        self.assertEqual(told, ['lost'])


class AttachingOnMsgpack(AttachingOnPb):
    proto = 'msgpack'

    @async_to_deferred
    async def test_the_receivers_of_each_connection_are_its_own(self):
        await self.begin('w1', 'w2')
        for name in ('w1', 'w2'):
            await self.connect(name, reporter=False)
        one, other = (
            self.buildbot_worker(name).conn.protocol.command_id_to_command_map
            for name in ('w1', 'w2')
        )
        self.assertIsNot(one, other)
        one['x'] = object()
        self.assertNotIn('x', other)


class PerspectiveOnPb(MasterCase):
    proto = 'pb'

    @async_to_deferred
    async def test_a_worker_gets_its_perspective_only_when_it_is_attached(self):
        await self.start(names=('w1',), connect=False)
        made = self.buildbot_worker('w1')
        began, seen = [], []
        stock_attached = made.attached

        async def attached(conn):
            began.append(self.workers['w1'].bf.perspective)
            await stock_attached(conn)
            began.append(self.workers['w1'].bf.perspective)

        self.patch(made, 'attached', lambda conn: defer.ensureDeferred(attached(conn)))
        await self.connect_watching('w1', seen)
        await self.until(lambda: seen)
        self.assertEqual(began, [None, None])  # and so no report can come before that
        self.assertEqual(seen, [True])

    async def connect_watching(self, name, seen):
        stock = Worker.setServiceParent

        def set_parent(one, parent):
            factory = one.bf

            def got(perspective):
                type(factory).gotPerspective(factory, perspective)
                seen.append(self.is_connected(name))

            factory.gotPerspective = got
            return stock(one, parent)

        self.patch(Worker, 'setServiceParent', set_parent)
        await self.connect(name, reporter=False)

    @async_to_deferred
    async def test_an_instance_attribute_of_a_connection_is_a_method_for_its_worker_alone(self):
        await self.start(names=('w1', 'w2'), connect=False)
        for name in ('w1', 'w2'):
            await self.connect(name, reporter=False)
        await self.until(lambda: all(one.bf.perspective for one in self.workers.values()))
        self.buildbot_worker('w1').conn.perspective_ours = lambda text: f'{text} heard'
        first, second = (self.workers[name].bf.perspective for name in ('w1', 'w2'))
        self.assertEqual(await first.callRemote('ours', 'x'), 'x heard')
        refused = await second.callRemote('ours', 'x').addErrback(lambda why: why.type)
        self.assertIn('AttributeError', str(refused))
        self.flushLoggedErrors(AttributeError)


class Shapes(SynchronousTestCase):
    """What the reporter's link takes for granted of a worker that is not connected yet."""

    def make(self, protocol):
        return Worker('127.0.0.1', 1, 'w1', 'pw', self.mktemp(), False, protocol=protocol)

    def test_protocols_are_told_apart_by_these_attributes(self):
        pb, msgpack = self.make('pb'), self.make(MSGPACK)
        local = LocalWorker('w1', self.mktemp())
        has = [
            (hasattr(one, 'bf'), hasattr(one.bot, 'protocol_commands'))
            for one in (pb, msgpack, local)
        ]
        self.assertEqual(has, [(True, False), (True, True), (False, False)])

    def test_ids_of_buildbots_own_commands_are_never_ours(self):
        for _ in range(3):
            self.assertTrue(str(RemoteCommand.generate_new_command_id()).isdigit())
        self.assertFalse(COMMAND_ID.isdigit())

    def test_a_quarantine_doubles_its_own_time(self):
        made = make_workers('w1')['w1']
        timers = []

        def call_later(wait, function):
            timers.append(wait)
            return SimpleNamespace(cancel=lambda: None)

        master = SimpleNamespace(reactor=SimpleNamespace(callLater=call_later))
        self.patch(type(made), 'master', master)
        for _ in range(3):
            made.putInQuarantine()
            made.quarantine_timer = None  # it is over
        self.assertEqual(timers[1] / timers[0], 2)
        self.assertEqual(timers[2] / timers[1], 2)
