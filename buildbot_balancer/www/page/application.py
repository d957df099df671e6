# SPDX-License-Identifier: GPL-2.0-or-later
"""Application: what Buildbot's web server takes for the plugin ``balancer``."""

from __future__ import annotations

from typing import Any

from buildbot.www.plugin import Application
from twisted.web import static

from buildbot_balancer.master import compat
from buildbot_balancer.master.sight.measures import Measures
from buildbot_balancer.master.sight.scrape import Metrics

PACKAGE = 'buildbot_balancer.www.page'  # has VERSION and static/
NAME = 'balancer'  # in c['www']['plugins'], and of the entry point


class Files(static.File):
    """Files that a browser asks about anew each time: after an upgrade of the plugin it must not
    join old modules with new ones.
    """

    def render_GET(self, request: Any) -> Any:
        request.setHeader(b'cache-control', b'no-cache')
        request.setHeader(b'x-content-type-options', b'nosniff')
        return super().render_GET(request)

    def directoryListing(self) -> Any:
        return self.childNotFound


class Page(Application):  # type: ignore[misc]  # Buildbot has no types
    def __init__(self) -> None:
        super().__init__(PACKAGE, 'Balancer')
        self.resource = Files(str(self.static_dir))
        self.resource.contentTypes = {
            **static.File.contentTypes,
            '.js': 'text/javascript',  # whatever the machine thinks: a module must be one
        }
        self.resource.putChild(b'metrics', Metrics(self._measures))

    def _measures(self) -> Measures | None:
        service = compat.service_named(self.master, NAME)
        return getattr(service, 'measures', None)


ep = Page()
