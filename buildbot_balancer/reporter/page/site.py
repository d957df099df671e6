# SPDX-License-Identifier: GPL-2.0-or-later
"""Site: Twisted's web server around the Front. It writes no log: addresses have tokens in them."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from twisted.protocols import policies
from twisted.python.failure import Failure
from twisted.web import resource
from twisted.web import server

from buildbot_balancer.log import failed
from buildbot_balancer.reporter.page import guard
from buildbot_balancer.reporter.page.ask import TEXT
from buildbot_balancer.reporter.page.ask import Answer
from buildbot_balancer.reporter.page.ask import Ask
from buildbot_balancer.reporter.page.front import Front

BODY_LIMIT = 16 * 1024  # bytes; a form of the page has some 1000 at most
CONNECTIONS = 32
TIMEOUT = 20.0  # seconds


class _Request(server.Request):
    """Anybody on the machine may send something: it takes no disk and little memory."""

    content: BytesIO

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()
        if length is not None and length > BODY_LIMIT:
            self.channel.loseConnection()

    def handleContentChunk(self, data: bytes) -> None:
        if self.content.tell() + len(data) > BODY_LIMIT:
            self.channel.loseConnection()
        else:
            self.content.write(data)


class _Root(resource.Resource):
    isLeaf = True

    def __init__(self, front: Front) -> None:
        super().__init__()
        self._front = front

    def render(self, request: Any) -> bytes:
        try:
            answer = self._front.answer(_ask(request))
        except Exception:  # the worker goes on, and strangers learn nothing
            failed(Failure(), "on the owner's page")
            answer = Answer(code=500, body=b'Something is wrong; see the log.\n', kind=TEXT)
        request.setResponseCode(answer.code)
        request.responseHeaders.removeHeader('server')
        for name, value in (*guard.HEADERS, ('Content-Type', answer.kind), *answer.headers):
            request.setHeader(name, value)
        return answer.body


def _ask(request: Any) -> Ask:
    headers = {
        name.decode('latin-1').lower(): tuple(value.decode('latin-1') for value in values)
        for name, values in request.requestHeaders.getAllRawHeaders()
    }
    path, _, query = request.uri.decode('latin-1').partition('?')
    body = request.content.read().decode(errors='replace')
    return Ask(
        method=request.method.decode('latin-1'),
        path=path,
        query=query,
        headers=headers,
        body=body,
    )


class _Quiet(server.Site):
    noisy = False

    def log(self, request: Any) -> None:
        """Nowhere."""


class Few(policies.WrappingFactory):
    """Takes few connections at a time, so that the worker keeps its file descriptors."""

    noisy = False

    def buildProtocol(self, addr: Any) -> Any:
        if len(self.protocols) >= CONNECTIONS:
            return None
        return super().buildProtocol(addr)

    def drop(self) -> None:
        for one in tuple(self.protocols):
            one.loseConnection()


def make_site(front: Front, reactor: Any) -> Few:
    site = _Quiet(_Root(front), requestFactory=_Request, timeout=TIMEOUT, reactor=reactor)
    site.displayTracebacks = False
    return Few(site)
