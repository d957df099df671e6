# SPDX-License-Identifier: GPL-2.0-or-later
"""News: what has changed, as events on the mq, so that a page is live.

A change costs one entry in a set. At most once a second everything that has changed is looked up
and told, and only where somebody listens; when much has changed at once, one event says so, and
who listens asks for what they show.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot_balancer.explain.sights import to_json
from buildbot_balancer.log import failed
from buildbot_balancer.master import compat
from buildbot_balancer.master.choice.engine import NAME
from buildbot_balancer.master.complaints import Complaints
from buildbot_balancer.www.audience import audience_of
from buildbot_balancer.www.audience import keys
from buildbot_balancer.www.changes import BUILDERS
from buildbot_balancer.www.changes import LOCKS
from buildbot_balancer.www.changes import MOST
from buildbot_balancer.www.changes import REQUESTS
from buildbot_balancer.www.changes import WORKERS
from buildbot_balancer.www.changes import Changes
from buildbot_balancer.www.changes import Key

ALL = 'all'  # in the place of an id: many have changed, or one is gone
SOON = 0.05  # seconds: what one decision changes is told at once
EVERY = 1.0  # seconds between two looks
_NOBODY = 0  # the id of a worker that is not known


class News:
    def __init__(self, master: Any, reactor: Any) -> None:
        self._master = master
        self._reactor = reactor
        self._changes: dict[str, Changes] = {}
        self._timer: Any = None
        self._busy = False
        self._stopped = False
        self._looked_at = float('-inf')
        self._complaints = Complaints(reactor.seconds)

    def worker_changed(self, worker: int | str) -> None:
        """By id or name."""
        if isinstance(worker, str):
            named = compat.worker_named(self._master, worker)
            worker = getattr(named, 'workerid', None) or _NOBODY
        self._changed(WORKERS, worker)

    def request_changed(self, buildrequestid: int) -> None:
        self._changed(REQUESTS, buildrequestid)

    def lock_changed(self, name: str, group: str | None = None) -> None:
        """`group` None: perhaps each of its groups."""
        self._changed(LOCKS, (name, group))

    def builder_changed(self, builderid: int) -> None:
        self._changed(BUILDERS, builderid)

    def stop(self) -> None:
        self._stopped = True
        self._changes.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _changed(self, plural: str, key: Key) -> None:
        if self._stopped:
            return
        if plural not in self._changes:
            self._changes[plural] = Changes(plural)
        self._changes[plural].add(key)
        if self._timer is None and not self._busy:
            self._look_later()

    def _look_later(self) -> None:
        wait = self._looked_at + EVERY - self._reactor.seconds()
        self._timer = self._reactor.callLater(max(SOON, wait), self._look)

    def _look(self) -> None:
        self._timer = None
        self._busy = True
        self._looked_at = self._reactor.seconds()
        changes, self._changes = self._changes, {}
        told = defer.ensureDeferred(self._tell(list(changes.values())))
        told.addErrback(failed, 'while telling what has changed')
        told.addCallback(lambda _: self._looked())

    def _looked(self) -> None:
        self._busy = False
        if self._changes:
            self._look_later()

    async def _tell(self, changes: list[Changes]) -> None:
        for each in changes:
            sight = getattr(compat.service_named(self._master, NAME), 'sight', None)
            if sight is None or self._stopped:
                return
            try:
                await self._tell_of(each, sight)
            except Exception as e:
                self._complaints.about(f'the events of {each.plural}', e)

    async def _tell_of(self, changes: Changes, sight: Any) -> None:
        audience = audience_of(self._master.mq, changes.plural)
        if audience.is_empty:
            return
        found = await changes.found(sight, audience)
        many = changes.too_many or len(found) > MOST
        for key, one in found:
            heard = key in audience.ids or (audience.to_all and not many)
            if one is not None and heard:
                self._produce(changes.plural, key, to_json(one))
        if many or any(one is None for _, one in found):
            self._produce(changes.plural, ALL, {})

    def _produce(self, plural: str, key: str, message: dict[str, Any]) -> None:
        if self._stopped:
            return
        for routing_key in keys(plural, key):
            self._master.mq.produce(routing_key, message)
