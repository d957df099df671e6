# SPDX-License-Identifier: GPL-2.0-or-later
"""Scrape: where Prometheus finds the measures.

At the page's own path they are for everybody who reaches the master's web server, whatever its
``authz`` says; so they can be switched off, or given a port of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from typing import Callable

from prometheus_client import CONTENT_TYPE_LATEST
from twisted.application import strports
from twisted.internet import defer
from twisted.internet.endpoints import serverFromString
from twisted.web.resource import Resource
from twisted.web.server import Site

from buildbot_balancer.log import say
from buildbot_balancer.master.sight.measures import Measures

PAGE = 'page'  # at /plugins/balancer/metrics of the master's web server


def problems(given: Any) -> Iterator[str]:
    """What is wrong with the argument ``metrics``, a sentence each."""
    if given is None or given == PAGE:
        return
    if not isinstance(given, str):
        yield f"metrics must be 'page', None or a port such as 'tcp:9200', not {given!r}"
        return
    try:
        serverFromString(None, given)  # only read, nothing listens
    except Exception as e:
        yield f"metrics must be 'page', None or a port such as 'tcp:9200', not {given!r}: {e}"


class Metrics(Resource):
    """`measures()` None: there is nothing to be seen here now."""

    isLeaf = True

    def __init__(self, measures: Callable[[], Measures | None]) -> None:
        super().__init__()
        self._measures = measures

    def render_GET(self, request: Any) -> bytes:
        measures = self._measures()
        request.setHeader(b'cache-control', b'no-store')
        if measures is None:
            request.setResponseCode(404)
            request.setHeader(b'content-type', b'text/plain; charset=utf-8')
            return b'the Balancer offers no metrics here\n'
        request.setHeader(b'content-type', CONTENT_TYPE_LATEST.encode())
        return measures.text()


class Port:
    """A port of its own, with ``/metrics`` and nothing else."""

    def __init__(self, measures: Measures) -> None:
        root = Resource()
        root.putChild(b'metrics', Metrics(lambda: measures))
        self._site = Site(root)
        self._service: Any = None
        self._given: str | None = None

    async def listen(self, given: str | None) -> None:
        """In the place of where it listened before; None: nowhere."""
        if given == self._given:
            return
        await self.stop()
        if given is None:
            return
        try:
            service = strports.service(given, self._site)
            await defer.maybeDeferred(service.privilegedStartService)
            service.startService()
        except Exception as e:
            # the builds are worth more than their figures
            say(f'metrics={given!r} cannot be served: {e}')
            return
        self._service, self._given = service, given

    async def stop(self) -> None:
        service, self._service, self._given = self._service, None, None
        if service is not None:
            await defer.maybeDeferred(service.stopService)
