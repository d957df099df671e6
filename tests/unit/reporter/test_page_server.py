# SPDX-License-Identifier: GPL-2.0-or-later
"""The owner's page on a real port of this machine."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from urllib.parse import urlencode

from support.logs import LogLines
from support.owners_page import ask
from support.reporters import NOW
from support.reporters import new_folder
from twisted.internet import defer
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.errors import StoreError
from buildbot_balancer.reporter import files
from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.page import site
from buildbot_balancer.reporter.page import ticket
from buildbot_balancer.reporter.page.ask import FORM
from buildbot_balancer.reporter.page.page import TRY_EVERY
from buildbot_balancer.reporter.page.page import LocalPage
from buildbot_balancer.reporter.status import Status
from buildbot_balancer.reporter.word import NO_WORD
from demo.processes import free_ports


class SteppedReactor:
    """The real one, but for its clock."""

    def __init__(self):
        self.now = NOW

    def seconds(self):
        return self.now

    def __getattr__(self, name):
        return getattr(reactor, name)


class Case(TestCase):
    def setUp(self):
        self.lines = LogLines(self)
        self.patch(site, 'TIMEOUT', 3600.0)  # whoever is cut off is so for another reason
        self.basedir = new_folder(self)
        (self.port,) = free_ports(1)
        self.looks = 0
        self.reactor = SteppedReactor()
        self.page = LocalPage(self.basedir, self.reactor, self.look)
        self.addCleanup(self.page.close)
        self.page.show(Status(mood='eager', source='default', at=NOW), NO_WORD)

    def look(self):
        self.looks += 1

    def ask(self, method, path, headers=(), body=b'', port=None):
        return deferToThread(ask, port or self.port, method, path, headers, body)

    @property
    def token(self):
        return ticket.load(self.basedir).token

    async def enter(self):
        """The folder of the page, and the headers that a browser sends from then on."""
        reply = await self.ask('GET', f'/?token={self.token}')
        cookie, _, rest = reply.headers['Set-Cookie'].partition('; ')
        door = rest.partition('Path=')[2].partition(';')[0]
        return door, {'Cookie': cookie}

    async def connects(self):
        try:
            await self.ask('GET', '/page.css')
        except OSError:
            return False
        return True


class Serving(Case):
    def setUp(self):
        super().setUp()
        self.page.follow(self.port)

    def say(self, door, headers, **fields):
        given = {**headers, 'Content-Type': FORM, 'Origin': f'http://127.0.0.1:{self.port}'}
        return self.ask('POST', f'{door}say', given, urlencode(fields).encode())

    async def test_what_the_owner_says_is_in_the_file_and_was_looked_at_before_the_answer(self):
        door, headers = await self.enter()
        shown = await self.ask('GET', door, headers)
        reply = await self.say(door, headers, token=shown.token, say='offline', reason='Größe')
        self.assertEqual((reply.code, reply.headers['Location'], self.looks), (303, door, 1))
        found = word.load(self.basedir)
        self.assertEqual((found.mood, found.reason), (Mood.OFFLINE, 'Größe'))

    async def test_a_stranger_changes_nothing(self):
        door, headers = await self.enter()
        token = (await self.ask('GET', door, headers)).token
        body = urlencode({'token': token, 'say': 'offline'}).encode()
        good = {**headers, 'Content-Type': FORM, 'Origin': f'http://127.0.0.1:{self.port}'}
        for wrong, code in (
            ({'Host': f'evil.example:{self.port}'}, 421),
            ({'Origin': 'http://127.0.0.1:1'}, 403),
            ({'Origin': 'null'}, 403),
            ({'Cookie': 'balancer=1'}, 403),
            ({'Content-Type': 'text/plain'}, 403),
        ):
            reply = await self.ask('POST', f'{door}say', {**good, **wrong}, body)
            self.assertEqual(reply.code, code, wrong)
        reply = await self.ask('POST', f'{door}say', good, b'say=offline')
        self.assertEqual(reply.code, 403)
        reply = await self.ask('GET', f'{door}say?{body.decode()}', good)
        self.assertEqual(reply.code, 405)
        self.assertFalse(word.path(self.basedir).exists())
        self.assertEqual((await self.ask('POST', f'{door}say', good, body)).code, 303)

    async def test_every_answer_has_the_headers_that_keep_others_out(self):
        door, headers = await self.enter()
        token = (await self.ask('GET', door, headers)).token
        replies = [
            await self.ask(method, path, sent)
            for method, path, sent in (
                ('GET', door, headers),
                ('GET', f'{door}state', headers),
                ('HEAD', door, headers),
                ('GET', '/', ()),
                ('GET', f'/?token={self.token}', ()),
                ('GET', '/page.js', ()),
                ('GET', '/nothing', ()),
                ('DELETE', '/', ()),
                ('GET', '/', {'Host': 'evil.example'}),
            )
        ]
        replies.append(await self.say(door, headers, token=token, say='auto'))
        for reply in replies:
            policy = reply.headers['Content-Security-Policy'].split('; ')
            self.assertLessEqual(
                {
                    "default-src 'none'",
                    "script-src 'self'",
                    "style-src 'self'",
                    "frame-ancestors 'none'",
                },
                set(policy),
            )
            self.assertNotIn('unsafe', reply.headers['Content-Security-Policy'])
            self.assertEqual(reply.headers['Referrer-Policy'], 'same-origin')
            self.assertEqual(reply.headers['X-Content-Type-Options'], 'nosniff')
            self.assertEqual(reply.headers['Cache-Control'], 'no-store')
            self.assertIsNone(reply.headers['Access-Control-Allow-Origin'])
            self.assertIsNone(reply.headers['Server'])

    async def test_neither_the_token_nor_a_request_is_in_the_log(self):
        door, headers = await self.enter()
        await self.ask('GET', f'{door}state', headers)
        log = '\n'.join(self.lines.all())
        for secret in (self.token, door.strip('/'), headers['Cookie'], 'state'):
            self.assertNotIn(secret, log)

    async def test_only_this_machine_can_reach_it(self):
        host = self.page._listener.getHost()
        self.assertEqual((host.host, host.port), ('127.0.0.1', self.port))

    async def test_a_body_without_an_end_is_cut_off(self):
        door, headers = await self.enter()
        for more in ({'Content-Length': str(10**12)}, {'Transfer-Encoding': 'chunked'}):
            chunk = b'%x\r\n%s\r\n' % (site.BODY_LIMIT, b'x' * site.BODY_LIMIT)
            body = chunk * 4 if 'Transfer-Encoding' in more else b''
            cut = await deferToThread(self.send, f'{door}say', {**headers, **more}, body)
            self.assertEqual(cut, b'')
        self.assertTrue(await self.connects())

    def send(self, path, headers, body):
        """Never ends what it sends; the answer until the other side ends it."""
        with socket.create_connection(('127.0.0.1', self.port), timeout=20) as sent:
            lines = [f'{name}: {value}' for name, value in headers.items()]
            head = '\r\n'.join([f'POST {path} HTTP/1.1', f'Host: 127.0.0.1:{self.port}', *lines])
            with contextlib.suppress(ConnectionError):
                sent.sendall(f'{head}\r\n\r\n'.encode() + body)
            try:
                return sent.recv(1000)
            except ConnectionResetError:
                return b''

    async def test_it_takes_few_connections_at_a_time(self):
        self.patch(site, 'CONNECTIONS', 2)
        idle = []
        for _ in range(2):
            idle.append(socket.create_connection(('127.0.0.1', self.port)))
            self.addCleanup(idle[-1].close)
        while len(self.page._factory.protocols) < 2:
            await self.turn()
        self.assertFalse(await self.connects())
        for one in idle:
            one.close()
        while self.page._factory.protocols:
            await self.turn()
        self.assertTrue(await self.connects())

    def turn(self):
        done = defer.Deferred()
        reactor.callLater(0, done.callback, None)
        return done

    async def test_an_error_of_the_page_is_in_the_log_and_strangers_learn_nothing(self):
        self.page._status = 'no status'
        door, headers = await self.enter()
        reply = await self.ask('GET', door, headers)
        self.assertEqual((reply.code, reply.text), (500, 'Something is wrong; see the log.\n'))
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)


class Following(Case):
    async def test_it_is_closed_unless_a_port_is_asked_for(self):
        self.page.follow(None)
        self.assertFalse(await self.connects())
        self.assertEqual(list(self.basedir.iterdir()), [])

    async def test_it_opens_moves_and_closes_as_the_settings_say(self):
        (other,) = free_ports(1)
        self.page.follow(self.port)
        self.page.follow(self.port)
        first = self.token
        self.assertTrue(await self.connects())
        self.page.follow(other)
        self.assertFalse(await self.connects())
        self.assertEqual(ticket.load(self.basedir).port, other)
        self.assertNotEqual(self.token, first)
        self.page.follow(None)
        self.port = other
        self.assertFalse(await self.connects())
        self.assertEqual(list(self.basedir.iterdir()), [])

    async def test_whoever_was_connected_is_gone_when_it_closes(self):
        self.page.follow(self.port)
        with socket.create_connection(('127.0.0.1', self.port), timeout=20) as open_still:
            await self.connects()
            self.page.follow(None)
            self.assertEqual(await deferToThread(open_still.recv, 10), b'')

    async def test_a_port_that_others_have_is_one_line_and_is_tried_again(self):
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', 0))
            taken.listen()
            self.port = taken.getsockname()[1]
            for _ in range(6):
                self.page.follow(self.port)
                self.reactor.now += TRY_EVERY / 2
        why = os.strerror(errno.EADDRINUSE)
        said = f'port {self.port} of 127.0.0.1 cannot be had: {why}'
        self.assertEqual(
            self.lines.ours(),
            [f"buildbot-balancer: the owner's page is not open: {said}"],
        )
        self.assertEqual(list(self.basedir.iterdir()), [])
        self.page.follow(self.port)
        self.assertTrue(await self.connects())

    async def test_a_port_is_not_tried_at_each_look(self):
        tried = []
        self.patch(self.page, '_reactor', SteppedReactor())
        self.page._reactor.listenTCP = lambda *args, **kwargs: tried.append(1) or 1 / 0
        for _ in range(5):
            with contextlib.suppress(ZeroDivisionError):
                self.page.follow(self.port)
        self.assertEqual(len(tried), 1)

    async def test_where_the_token_cannot_be_kept_the_page_is_not_open(self):
        tried = []

        def write(*args, **kwargs):
            tried.append(self.reactor.now)
            raise StoreError('cannot write x: Read-only file system')

        self.patch(files, 'write', write)
        for _ in range(5):
            self.page.follow(self.port)
        self.assertEqual(len(tried), 1)
        self.assertFalse(await self.connects())
        self.reactor.now += TRY_EVERY
        self.page.follow(self.port)
        self.assertEqual(len(tried), 2)
        self.assertEqual(len([one for one in self.lines.ours() if 'Read-only' in one]), 1)

    async def test_a_token_that_others_could_read_is_void_at_the_next_look(self):
        self.page.follow(self.port)
        door, headers = await self.enter()
        old = self.token
        ticket.path(self.basedir).chmod(0o644)
        self.page.follow(self.port)
        self.assertEqual((await self.ask('GET', f'/?token={old}')).code, 403)
        self.assertEqual((await self.ask('GET', door, headers)).code, 404)
        self.assertEqual((await self.ask('GET', f'/?token={self.token}')).code, 200)
        self.assertIn('was not private', self.lines.ours()[-1])
