# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace

from buildbot_worker.msgpack import RemoteWorkerError
from buildbot_worker.null import LocalWorker
from support.logs import LogLines
from support.reporters import new_folder
from support.reporters import new_worker
from twisted.application.internet import ClientService
from twisted.internet import defer
from twisted.internet import error
from twisted.python.failure import Failure
from twisted.spread import pb
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.announcement import COMMAND
from buildbot_balancer.availability.answer import PREFIX
from buildbot_balancer.availability.answer import Answer
from buildbot_balancer.reporter.link import COMMAND_ID
from buildbot_balancer.reporter.link import METHOD
from buildbot_balancer.reporter.link import LocalLink
from buildbot_balancer.reporter.link import MsgpackLink
from buildbot_balancer.reporter.link import NotConnectedError
from buildbot_balancer.reporter.link import PbLink
from buildbot_balancer.reporter.link import make_link

MSGPACK = 'msgpack_experimental_v7'


class Perspective:
    """As PB gives it to a worker."""

    def __init__(self):
        self.calls = []
        self.lost = []
        transport = SimpleNamespace(setTcpKeepAlive=lambda on: None)
        self.broker = SimpleNamespace(disconnected=0, transport=transport)

    def callRemote(self, name, *args):
        self.calls.append((name, args))
        return defer.succeed('said')

    def notifyOnDisconnect(self, callback):
        self.lost.append(callback)


class Protocol:
    """As the msgpack worker has it."""

    def __init__(self):
        self.sent = []
        self.is_closed = defer.Deferred()

    def get_message_result(self, message):
        self.sent.append(message)
        return defer.succeed(None)


class Case(SynchronousTestCase):
    def setUp(self):
        self.events = []
        self.worker = self.make_worker()
        self.link = make_link(
            self.worker,
            on_answer=self.events.append,
            on_ready=lambda: self.events.append('ready'),
            on_lost=lambda: self.events.append('lost'),
        )
        self.bot = self.worker.bot
        self.addCleanup(self.link.close)

    def make_worker(self):
        return new_worker(new_folder(self))


class Overlays(Case):
    def owned(self):
        return (set(vars(self.bot)), set(vars(self.worker)), set(vars(self.worker.bf)))

    def test_what_is_put_on_is_taken_off(self):
        before = self.owned()
        self.link.open()
        self.assertNotEqual(self.owned(), before)
        self.link.close()
        self.assertEqual(self.owned(), before)

    def test_it_may_be_opened_and_closed_twice(self):
        before = self.owned()
        for action in (self.link.open, self.link.open, self.link.close, self.link.close):
            action()
        self.assertEqual(self.owned(), before)
        self.link.open()
        self.bot.remote_print(Answer().to_wire())
        self.assertEqual(self.events, [Answer()])

    def test_the_reporter_is_announced_among_the_commands_while_it_is_there(self):
        stock = self.bot.remote_getCommands()
        self.link.open()
        self.assertEqual(self.bot.remote_getCommands(), {**stock, COMMAND: '1'})
        self.assertIn(COMMAND, self.bot.remote_getWorkerInfo()['worker_commands'])
        self.link.close()
        self.assertEqual(self.bot.remote_getCommands(), stock)


class OverlaysOnMsgpack(Overlays):
    def make_worker(self):
        return new_worker(new_folder(self), MSGPACK)


class Messages(Case):
    def setUp(self):
        super().setUp()
        self.link.open()
        self.lines = LogLines(self)

    def test_a_stock_message_is_passed_on(self):
        for message in ('attached', 7, 'buildbot-balancer says hello'):
            self.bot.remote_print(message)
        self.assertEqual(self.events, [])
        self.assertEqual(
            self.lines.all(),
            [
                'message from master: attached',
                'message from master: 7',
                'message from master: buildbot-balancer says hello',
            ],
        )

    def test_an_answer_is_taken_and_not_logged(self):
        said = Answer(incarnation='i', seq=3, running=1)
        self.bot.remote_print(said.to_wire())
        self.assertEqual(self.events, [said])
        self.assertEqual(self.lines.all(), [])

    def test_garbage_of_the_master_is_ignored_with_one_line_each(self):
        for text in ('', '{', '[]', '{"v":99}', '{"v":1,"seq":"x"}', 'x' * 40000, '\ud800\n\x1b'):
            before = len(self.lines.all())
            self.bot.remote_print(PREFIX + text)
            new = self.lines.all()[before:]
            self.assertEqual(len(new), 1, text)
            self.assertEqual(len(new[0].splitlines()), 1)
            self.assertIn('a message of the master was ignored', new[0])
        self.assertEqual(self.events, [])
        self.assertEqual(self.flushLoggedErrors(), [])


class OnPb(Case):
    def connect(self):
        self.link.open()
        perspective = Perspective()
        self.worker.bf.gotPerspective(perspective)
        self.addCleanup(self.worker.bf.stopTimers)
        return perspective

    def test_it_is_the_link_of_a_pb_worker(self):
        self.assertIs(type(self.link), PbLink)

    def test_it_is_up_when_buildbot_has_the_perspective(self):
        self.assertFalse(self.link.is_up())
        perspective = self.connect()
        self.assertIs(self.worker.bf.perspective, perspective)  # the stock method ran too
        self.assertTrue(self.link.is_up())
        self.assertEqual(self.events, ['ready'])

    def test_a_report_is_a_call_on_the_perspective(self):
        perspective = self.connect()
        self.assertEqual(self.successResultOf(self.link.send('{}')), 'said')
        self.assertEqual(perspective.calls[-1], (METHOD, ('{}',)))

    def test_a_connection_that_ended_is_told_and_not_used(self):
        perspective = self.connect()
        perspective.broker.disconnected = 1
        for callback in perspective.lost:
            callback(perspective)
        self.assertEqual(self.events, ['ready', 'lost'])
        self.assertFalse(self.link.is_up())
        self.failureResultOf(self.link.send('{}'), NotConnectedError)
        self.assertNotIn((METHOD, ('{}',)), perspective.calls)

    def test_before_any_connection_nothing_can_be_sent(self):
        self.link.open()
        self.failureResultOf(self.link.send('{}'), NotConnectedError)

    def test_a_master_that_refuses_is_not_a_connection_that_is_lost(self):
        for lost in (
            pb.PBConnectionLost('x'),
            pb.DeadReferenceError('x'),
            error.ConnectionLost(),
            error.ConnectionDone(),
            defer.TimeoutError(),
        ):
            self.assertTrue(self.link.is_lost(Failure(lost)), lost)
        for refused in (pb.RemoteError('AttributeError', 'no perspective_balancer', ''), OSError()):
            self.assertFalse(self.link.is_lost(Failure(refused)), refused)

    def test_commands_of_builds_are_counted(self):
        builders = {
            'a': SimpleNamespace(protocol_command=None),
            'b': SimpleNamespace(protocol_command=object()),
            'c': SimpleNamespace(protocol_command=object()),
        }
        self.patch(self.bot, 'builders', builders)
        self.assertEqual(self.link.commands(), 2)


class OnMsgpack(Case):
    def make_worker(self):
        made = new_worker(new_folder(self), MSGPACK)
        services = [one for one in made.services if isinstance(one, ClientService)]
        self.assertEqual(len(services), 1)
        self.protocol = None
        self.patch(services[0], 'whenConnected', self.when_connected)
        return made

    def when_connected(self):
        """Each caller has a Deferred of its own, as from Twisted."""
        return defer.Deferred() if self.protocol is None else defer.succeed(self.protocol)

    def connect(self):
        self.link.open()
        self.protocol = Protocol()
        self.bot.remote_print(Answer().to_wire())
        return self.protocol

    def test_it_is_the_link_of_a_msgpack_worker(self):
        self.assertIs(type(self.link), MsgpackLink)

    def test_a_report_is_an_update_with_our_id(self):
        protocol = self.connect()
        self.link.send('{}')
        message = {'op': 'update', 'command_id': COMMAND_ID, 'args': ['{}']}
        self.assertEqual(protocol.sent, [message])
        self.assertTrue(self.link.is_up())

    def test_before_a_greeting_nothing_is_sent(self):
        self.link.open()
        self.protocol = Protocol()
        self.failureResultOf(self.link.send('{}'), NotConnectedError)

    def test_a_connection_that_ended_is_told_once_and_not_used(self):
        protocol = self.connect()
        self.bot.remote_print(Answer().to_wire())  # greeted twice, watched once
        self.protocol = None
        protocol.is_closed.callback(None)
        self.assertEqual(self.events, [Answer(), Answer(), 'lost'])
        self.failureResultOf(self.link.send('{}'), NotConnectedError)
        self.assertFalse(self.link.is_up())

    def test_the_end_of_an_earlier_connection_says_nothing_of_the_present_one(self):
        first = self.connect()
        second = self.connect()
        first.is_closed.callback(None)
        self.assertNotIn('lost', self.events)
        self.link.send('{}')
        self.assertEqual((len(first.sent), len(second.sent)), (0, 1))

    def test_only_what_the_master_said_is_a_refusal(self):
        self.assertFalse(self.link.is_lost(Failure(RemoteWorkerError('x'))))
        self.assertTrue(self.link.is_lost(Failure(OSError())))

    def test_commands_of_builds_are_counted(self):
        self.bot.protocol_commands['1'] = object()
        self.addCleanup(self.bot.protocol_commands.clear)
        self.assertEqual(self.link.commands(), 1)


class OnLocal(Case):
    def make_worker(self):
        return LocalWorker('w1', str(new_folder(self)))

    def test_it_is_the_link_of_a_local_worker(self):
        self.assertIs(type(self.link), LocalLink)

    def test_a_report_is_a_plain_call_on_the_masters_connection(self):
        taken = []
        conn = SimpleNamespace(perspective_balancer=lambda payload: taken.append(payload) or 'no')
        self.worker.parent = SimpleNamespace(conn=conn)
        self.assertTrue(self.link.is_up())
        self.assertEqual(self.successResultOf(self.link.send('{}')), 'no')
        self.assertEqual(taken, ['{}'])

    def test_without_a_listening_master_nothing_can_be_sent(self):
        for parent in (None, SimpleNamespace(conn=None), SimpleNamespace(conn=SimpleNamespace())):
            self.worker.parent = parent
            self.assertFalse(self.link.is_up())
            self.failureResultOf(self.link.send('{}'), NotConnectedError)
