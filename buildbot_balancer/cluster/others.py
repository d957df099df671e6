# SPDX-License-Identifier: GPL-2.0-or-later
"""Others: what the other masters see, at one moment. Pure."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from typing import Any

import attrs

from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.when import span_text
from buildbot_balancer.cluster.pictures import BUILDERS
from buildbot_balancer.cluster.pictures import REQUESTS
from buildbot_balancer.cluster.pictures import WORKERS
from buildbot_balancer.cluster.pictures import Picture
from buildbot_balancer.explain.sights import BuilderSight
from buildbot_balancer.explain.sights import RequestSight
from buildbot_balancer.explain.sights import WorkerSight

OLD = 60.0  # seconds: some beats of who publishes
GONE = 600.0  # seconds: as long as Buildbot believes that a silent master runs
NAME = 100  # characters: Buildbot calls a master by its host and folder
_NOTHING = Picture()


@attrs.frozen(eq=False, kw_only=True)
class OtherMaster:
    """`age`: seconds since it last said so; `active`: Buildbot believes that it runs."""

    name: str
    active: bool
    age: float
    pictures: dict[str, Picture]

    @property
    def is_gone(self) -> bool:
        """What it saw is of no use to anybody now."""
        return not self.active or self.age > GONE

    @property
    def title(self) -> str:
        return f'master {clean(self.name, NAME)}'

    @property
    def doubt(self) -> str:
        if self.age <= OLD:
            return ''
        return f' (as of {span_text(self.age)} ago, which may be out of date)'

    def picture(self, kind: str) -> Picture:
        return self.pictures.get(kind, _NOTHING)


class Others:
    """`masters` by name; those that are gone are left out."""

    def __init__(self, masters: Iterable[OtherMaster] = ()) -> None:
        self._masters = [one for one in masters if not one.is_gone]

    # workers

    def worker(self, workerid: int) -> WorkerSight | None:
        """Where several masters have it, as that one sees it to which it is connected."""
        found = None
        for master in self._masters:
            sight = master.picture(WORKERS).things.get(workerid)
            if sight is not None and (found is None or sight.master is not None):
                found = _worker(master, sight)
        return found

    def workers(self) -> list[WorkerSight]:
        ids = {one for master in self._masters for one in master.picture(WORKERS).things}
        found = (self.worker(one) for one in ids)
        return [one for one in found if one is not None]

    # builders

    def builders(self, but: Collection[int]) -> list[BuilderSight]:
        found: dict[int, BuilderSight] = {}
        for master in self._masters:
            for builderid, sight in master.picture(BUILDERS).things.items():
                if builderid not in but:
                    found.setdefault(builderid, sight)
        return list(found.values())

    # requests

    def requests(self, but: Collection[int]) -> list[RequestSight]:
        """Of all builders but these, the first of each master first."""
        found: dict[int, RequestSight] = {}
        for master in self._masters:
            for requestid, sight in master.picture(REQUESTS).things.items():
                if sight.builderid not in but and requestid not in found:
                    found[requestid] = _request(master, sight)
        return sorted(found.values(), key=_place)

    def request(self, requestid: int) -> list[RequestSight]:
        """As each of the masters sees it."""
        known = ((one, one.picture(REQUESTS).things.get(requestid)) for one in self._masters)
        return [_request(master, sight) for master, sight in known if sight is not None]


def _worker(master: OtherMaster, sight: WorkerSight) -> WorkerSight:
    connected = sight.master is not None
    place = f'connected to {master.title}' if connected else f'on {master.title}'
    return attrs.evolve(
        sight,
        summary=f'{place}: {sight.summary}{master.doubt}',
        fresh=sight.fresh and not master.doubt,
        master=clean(master.name, NAME) if connected else None,
    )


def _request(master: OtherMaster, sight: RequestSight) -> RequestSight:
    return attrs.evolve(
        sight,
        reason=f'on {master.title}: {sight.reason}{master.doubt}',
        master=clean(master.name, NAME),
    )


def _place(sight: RequestSight) -> Any:
    return sight.position is None, sight.position, sight.buildrequestid
