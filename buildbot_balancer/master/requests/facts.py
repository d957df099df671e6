# SPDX-License-Identifier: GPL-2.0-or-later
"""Facts: branch, properties and sources of requests, fetched when they are asked for, and kept."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any
from typing import Callable

from buildbot.process.buildrequest import TempChange
from buildbot.process.buildrequest import TempSourceStamp
from buildbot.process.properties import Properties
from buildbot.util import datetime2epoch
from buildbot.util.lru import AsyncLRUCache
from twisted.internet import defer

from buildbot_balancer.master import compat
from buildbot_balancer.master.requests.buildset import Buildset
from buildbot_balancer.master.requests.buildset import fetch_buildset
from buildbot_balancer.master.requests.pending import Pending

KEPT = 1000  # requests, and as many buildsets and changes


class Facts:
    """Buildbot's own BuildRequest of each request, for fewer queries: one for a new buildset, one
    more for each change that is new, none for what is kept.

    `name_of(builderid)`: the builder's name; None where this master does not have it.
    """

    def __init__(self, master: Any, name_of: Callable[[int], str | None], kept: int = KEPT) -> None:
        self._master = master
        self._name_of = name_of
        self._kept = kept
        self._requests: OrderedDict[int, Any] = OrderedDict()
        self._buildsets = AsyncLRUCache(self._fetch_buildset, kept)
        self._changes = AsyncLRUCache(master.db.changes.getChange, kept)

    def __len__(self) -> int:
        return len(self._requests)

    async def of(self, pending: Pending) -> Any:
        """Its BuildRequest, the same one each time while it is kept; None: it is in the database no
        more, or its builder has left.
        """
        made = self._requests.get(pending.id) or await self._fetch(pending)
        if made is not None:
            self._requests[pending.id] = made
            self._requests.move_to_end(pending.id)
            if len(self._requests) > self._kept:
                self._requests.popitem(last=False)
            made.priority = pending.priority
        return made

    def forget(self, request: int) -> None:
        """It is not waiting any more. What it shares with others is kept."""
        self._requests.pop(request, None)

    async def _fetch(self, pending: Pending) -> Any:
        name = self._name_of(pending.builderid)
        buildset = await self._buildsets.get(pending.buildsetid)
        if name is None or buildset is None:
            return None
        changes = await self._changes_of(buildset)
        # somebody else may have asked for it meanwhile
        return self._requests.get(pending.id) or self._make(pending, name, buildset, changes)

    def _fetch_buildset(self, buildsetid: int) -> defer.Deferred[Buildset | None]:
        return defer.ensureDeferred(fetch_buildset(self._master, buildsetid))

    async def _changes_of(self, buildset: Buildset) -> dict[int | None, Any]:
        """By id; without those that have been pruned."""
        wanted = [one.changeid for one in buildset.sources if one.changeid is not None]
        found = await defer.gatherResults(
            [self._changes.get(changeid) for changeid in wanted], consumeErrors=True
        )
        return {one.changeid: one for one in found if one is not None}

    def _make(
        self, pending: Pending, name: str, buildset: Buildset, changes: dict[int | None, Any]
    ) -> Any:
        made = compat.build_request(
            id=pending.id,
            bsid=pending.buildsetid,
            buildername=self._name_of(pending.builderid),
            builderid=pending.builderid,
            priority=pending.priority,
            submitted_at=pending.submitted_at,
            master=self._master,
            waited_for=pending.waited_for,
            reason=buildset.reason,
            properties=Properties.fromDict(buildset.properties),
            sources={},
        )
        for one in buildset.sources:
            stamp = made.sources[one.data['codebase']] = TempSourceStamp(dict(one.data))
            change = changes.get(one.changeid)
            stamp.changes = [_temp_change(change, one.data)] if change is not None else []
        return made


def _temp_change(change: Any, stamp: Any) -> TempChange:
    """As Buildbot's data API shows a change."""
    return TempChange(
        {
            'changeid': change.changeid,
            'author': change.author,
            'committer': change.committer,
            'comments': change.comments,
            'branch': change.branch,
            'revision': change.revision,
            'revlink': change.revlink,
            'when_timestamp': datetime2epoch(change.when_timestamp),
            'category': change.category,
            'parent_changeids': list(change.parent_changeids),
            'repository': change.repository,
            'codebase': change.codebase,
            'project': change.project,
            'files': list(change.files),
            'sourcestamp': dict(stamp),
            'properties': dict(change.properties),
        }
    )
