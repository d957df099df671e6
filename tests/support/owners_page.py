# SPDX-License-Identifier: GPL-2.0-or-later
"""The owner's page of a worker in a process of its own, and what asks it over HTTP."""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.page import ticket
from demo.processes import free_ports

PATIENCE = 60.0  # seconds: bounds a failure, it is no expectation

WORKER = """\
import sys
from buildbot_worker.bot import Worker
from twisted.internet import reactor
from twisted.python import log
from buildbot_balancer.reporter.attach import attach

log.startLogging(sys.stdout)
worker = Worker('127.0.0.1', 1, 'w1', 'pw', sys.argv[1], False)
attach(worker)
worker.startService()
reactor.run()
"""

# a page that is told what it shows, for pictures
PICTURE = """\
import sys, time
from pathlib import Path
from twisted.internet import reactor
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.reporter.page.page import LocalPage
from buildbot_balancer.reporter.says import Says
from buildbot_balancer.reporter.status import Status
from buildbot_balancer.reporter.word import Word

now = time.time()
page = LocalPage(Path(sys.argv[1]), reactor, lambda: None)
base = dict(load=0.61, cpus=8, idle=140.0, connected=True)
said = (
    Says('idle', Mood.OFFLINE, 'keyboard or mouse used 2 min ago'),
)
for ago, more in (
    (9000, dict(mood='eager', source='default', connected=False)),
    (8990, dict(mood='eager', source='default')),
    (4000, dict(mood='offline', source='idle', reason='keyboard or mouse used 1 min ago')),
    (0, dict(mood='reluctant', source='owner', reason='compiling a talk', until=now + 5400)),
):
    status = Status(**{**base, **more}, running=1, left=3, authority=said, at=now - ago)
    page.show(status, Word())
word = Word(mood=Mood.RELUCTANT, reason='compiling a talk', until=now + 5400, id='a' * 16)
page.show(status, word)
page.follow(int(sys.argv[2]))
reactor.run()
"""


class Machine:
    """A worker with a reporter and a page; no master listens."""

    def __init__(self, folder: Path, program: str = WORKER) -> None:
        self.basedir = folder / 'anna'
        self.basedir.mkdir(parents=True)
        (self.port,) = free_ports(1)
        (self.basedir / 'availability.toml').write_text(f'[page]\nport = {self.port}\n')
        self._log = (folder / 'log').open('ab')
        self._process = subprocess.Popen(
            [sys.executable, '-c', program, str(self.basedir), str(self.port)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        deadline = time.monotonic() + PATIENCE
        while not ticket.path(self.basedir).exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise AssertionError((folder / 'log').read_text())
            time.sleep(0.05)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()

    @property
    def url(self) -> str:
        found = ticket.load(self.basedir)
        assert found is not None
        return found.url

    @property
    def word(self) -> word.Word:
        return word.load(self.basedir)


class Reply:
    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.code = answer.status
        self.headers = answer.headers
        self.text = answer.read().decode()

    @property
    def token(self) -> str:
        """Of the page's form."""
        found = re.search(r'name="token" value="(\w+)"', self.text)
        return found.group(1) if found else ''


def ask(port: int, method: str, path: str, headers: Any = (), body: bytes = b'') -> Reply:
    """Just these headers, where they name a Host."""
    given = dict(headers)
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=PATIENCE)
    try:
        connection.putrequest(method, path, skip_host='Host' in given, skip_accept_encoding=True)
        for name, value in given.items():
            connection.putheader(name, value)
        if body:
            connection.putheader('Content-Length', str(len(body)))
        connection.endheaders(body or None)
        return Reply(connection.getresponse())
    finally:
        connection.close()
