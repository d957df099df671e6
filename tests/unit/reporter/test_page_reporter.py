# SPDX-License-Identifier: GPL-2.0-or-later
"""A reporter that is asked for the owner's page."""

from __future__ import annotations

from urllib.parse import urlencode

from support.owners_page import ask
from support.reporters import FakeLink
from support.reporters import new_folder
from support.reporters import new_worker
from twisted.internet import defer
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.reporter import reporter as module
from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.page import ticket
from buildbot_balancer.reporter.page.ask import FORM
from buildbot_balancer.reporter.reporter import Reporter
from buildbot_balancer.reporter.sampler import Sampler
from buildbot_balancer.reporter.settings import store
from demo.processes import free_ports


class Asked(TestCase):
    def setUp(self):
        self.patch(module, 'make_link', FakeLink)
        self.basedir = new_folder(self)
        (self.port,) = free_ports(1)
        self.write(f'[page]\nport = {self.port}\n')
        self.reporter = Reporter(new_worker(self.basedir), reactor=reactor, sampler=Sampler([]))
        self.addCleanup(self.stop)

    def stop(self):
        return self.reporter.stopService() if self.reporter.running else None

    def write(self, text):
        store.path(self.basedir).write_text(text)

    def ask(self, method, path, headers=(), body=b''):
        return deferToThread(ask, self.port, method, path, headers, body)

    async def enter(self):
        found = ticket.load(self.basedir)
        reply = await self.ask('GET', f'/?token={found.token}')
        cookie, _, rest = reply.headers['Set-Cookie'].partition('; ')
        return rest.partition('Path=')[2].partition(';')[0], {'Cookie': cookie}

    async def until_closed(self):
        while ticket.path(self.basedir).exists():
            later = defer.Deferred()
            reactor.callLater(0.05, later.callback, None)
            await later

    async def test_what_was_said_there_is_shown_in_the_very_next_answer(self):
        self.reporter.startService()
        door, headers = await self.enter()
        shown = await self.ask('GET', door, headers)
        self.assertIn('Nobody says anything.', shown.text)
        sent = {**headers, 'Content-Type': FORM, 'Origin': f'http://127.0.0.1:{self.port}'}
        form = {'token': shown.token, 'say': 'offline', 'reason': 'moving house'}
        self.assertEqual(
            (await self.ask('POST', f'{door}say', sent, urlencode(form).encode())).code, 303
        )
        shown = await self.ask('GET', door, headers)
        self.assertIn('You said so: “moving house”', shown.text)
        self.assertIn('offline (owner: moving house)', shown.text)
        self.assertIs(word.load(self.basedir).mood, Mood.OFFLINE)
        self.assertIs(self.reporter.report().mood, Mood.OFFLINE)

    async def test_it_closes_when_the_file_asks_for_it_no_more(self):
        self.reporter.startService()
        self.write('')
        await self.until_closed()
        with self.assertRaises(OSError):
            await self.ask('GET', '/')

    async def test_it_closes_with_the_reporter(self):
        self.reporter.startService()
        await self.reporter.stopService()
        self.assertFalse(ticket.path(self.basedir).exists())
        with self.assertRaises(OSError):
            await self.ask('GET', '/')

    async def test_without_the_section_there_is_no_page(self):
        self.write('')
        self.reporter.startService()
        self.assertFalse(ticket.path(self.basedir).exists())
        with self.assertRaises(OSError):
            await self.ask('GET', '/')

    async def test_a_page_that_breaks_does_not_keep_the_owners_word_from_being_heard(self):
        def broken(port):
            raise ValueError('no')

        self.reporter._page.follow = broken
        self.reporter.startService()
        word.save(self.basedir, word.Word(mood=Mood.OFFLINE, id='a' * 16))
        self.reporter._look()
        self.assertIs(self.reporter.report().mood, Mood.OFFLINE)
        self.assertGreaterEqual(len(self.flushLoggedErrors(ValueError)), 1)
