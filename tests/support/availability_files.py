# SPDX-License-Identifier: GPL-2.0-or-later
"""A reporter with a file ``availability.toml``, and what it is to find on its machine."""

from __future__ import annotations

import calendar
import textwrap
from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.answer import Answer
from buildbot_balancer.reporter import reporter as module
from buildbot_balancer.reporter import status
from buildbot_balancer.reporter.probes import wanted
from buildbot_balancer.reporter.probes.idle.use import Use
from buildbot_balancer.reporter.probes.unknown import UnknownError
from buildbot_balancer.reporter.reporter import Reporter
from buildbot_balancer.reporter.sampler import Sampler
from buildbot_balancer.reporter.settings import store
from support.reporters import FakeLink
from support.reporters import ManualReactor
from support.reporters import new_folder
from support.reporters import new_worker

GB = 10**9


class Load:
    name = 'load'
    value = 0.1

    def sample(self, now):
        return self.value


class Own(Load):
    name = 'own'
    value = 0.0


class Screen:
    """In the place of what a platform knows of its keyboard."""

    name = 'screen'
    sees_screens = True
    seconds = 0.0

    def look(self, now):
        if self.seconds is None:
            raise UnknownError('it is dark')
        return [Use(seconds=self.seconds)]


class Case(SynchronousTestCase):
    def setUp(self):
        self.patch(module, 'make_link', FakeLink)
        self.basedir = new_folder(self)
        self.reactor = ManualReactor()
        self.jumped = 0
        self.load, self.own, self.screen = Load(), Own(), Screen()
        self.patch(wanted, 'idle_sources', lambda platform: [self.screen])
        self.patch(wanted, 'time', SimpleNamespace(monotonic=self.steady))
        self.reporter = Reporter(
            new_worker(self.basedir),
            reactor=self.reactor,
            sampler=Sampler([self.load, self.own]),
            steady=self.steady,
        )
        self.addCleanup(lambda: self.reporter.running and self.reporter.stopService())

    def steady(self):
        return self.reactor.seconds() - self.jumped

    def write(self, text):
        store.path(self.basedir).write_text(textwrap.dedent(text))

    def start(self, text):
        self.write(text)
        self.reporter.startService()
        self.reporter._answered(Answer())
        self.go(1)

    def go(self, seconds):
        self.reactor.pass_time(seconds, step=0.25)

    def at(self, *parts):
        """To that moment, in UTC."""
        seconds = calendar.timegm((*parts, 0, 0, 0, 0)[:6]) - self.reactor.seconds()
        self.assertGreater(seconds, 0)
        self.reactor.advance(seconds)
        self.go(1)

    @property
    def sent(self):
        return self.reporter._link.sent[-1]

    @property
    def mood(self):
        """As the master heard it last."""
        return self.sent.mood.label

    def words(self, source):
        shown = {one.source: one.words for one in status.load(self.basedir).authority}
        return shown[source]

    def source(self):
        return status.load(self.basedir).source
