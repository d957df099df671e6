# SPDX-License-Identifier: GPL-2.0-or-later
"""Outside: what a master with a Balancer offers to others, while the Balancer runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import Callable

from twisted.internet import defer

from buildbot_balancer.www.authz import unguarded
from buildbot_balancer.www.news import News
from buildbot_balancer.www.resources import register


class Outside:
    """`news`: who is to be told of changes. The resources of the data API stay on the master when
    the Balancer leaves, and answer that it does not run. `request_changed(id)` is called when
    Buildbot says that one has come, or waits no more.
    """

    def __init__(self, master: Any, reactor: Any, request_changed: Callable[[int], None]) -> None:
        self._master = master
        self._request_changed = request_changed
        self.news = News(master, reactor)
        self._consumer: Any = None

    async def start(self) -> None:
        register(self._master)

        def heard(key: tuple[str, ...], _: Any) -> None:
            if key[1].isdecimal():
                self._request_changed(int(key[1]))

        listen = self._master.mq.startConsuming
        self._consumer = await listen(heard, ('buildrequests', None, None))

    async def stop(self) -> None:
        self.news.stop()
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await defer.maybeDeferred(consumer.stopConsuming)

    def problem(self, www: Mapping[str, Any]) -> str:
        """What an admin should know of the config of the web server, in a sentence, or ''."""
        return unguarded(www)
