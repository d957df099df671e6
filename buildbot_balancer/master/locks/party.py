# SPDX-License-Identifier: GPL-2.0-or-later
"""Party: who holds a lock or waits for it, as people and the data API know them."""

from __future__ import annotations

from typing import Any

import attrs
from buildbot.process.buildrequest import BuildRequest
from buildbot.process.buildstep import BuildStep

from buildbot_balancer.availability.text import clean
from buildbot_balancer.explain.sights import ShareSight
from buildbot_balancer.locks import requester as who
from buildbot_balancer.master.locks.reservations import Reservation

LONGEST = 100  # characters of one name
UNKNOWN = 'another build'


@attrs.frozen(kw_only=True)
class Party:
    """`what`: ``win #41``, ``step 'test' of win #41``, ``request 7 of win``, ``worker msvc10``."""

    what: str = UNKNOWN
    builder: str | None = None
    builderid: int | None = None
    buildid: int | None = None
    number: int | None = None
    buildrequestid: int | None = None
    worker: str | None = None

    @classmethod
    def of(cls, requester: Any) -> Party:
        if isinstance(requester, Reservation):
            return cls.of(requester.requester)
        if isinstance(requester, BuildRequest):
            named = getattr(requester, 'buildername', None)
            return cls.of_request(requester.id, named, getattr(requester, 'builderid', None))
        build = who.build_of(requester)
        if build is not None:
            party = _of_build(build)
            if isinstance(requester, BuildStep):
                step = f'step {_name(requester.name)!r} of {party.what}'
                return attrs.evolve(party, what=step)
            return party
        worker = getattr(requester, 'workername', None)
        return cls() if worker is None else cls(what=f'worker {_name(worker)}', worker=worker)

    @classmethod
    def of_request(cls, request: int, builder: str | None, builderid: int | None) -> Party:
        what = f'request {request} of {_name(builder)}' if builder else f'request {request}'
        return cls(what=what, builder=builder, builderid=builderid, buildrequestid=request)

    def sight(self, what: str, mode: str, count: int, since: float | None) -> ShareSight:
        return ShareSight(
            what=what,
            mode=mode,
            count=count,
            since=since,
            builderid=self.builderid,
            buildid=self.buildid,
            number=self.number,
            buildrequestid=self.buildrequestid,
            worker=self.worker,
        )


def _of_build(build: Any) -> Party:
    request = next(iter(build.requests), None)
    number = getattr(build, 'number', None)
    builder = build.builder.name
    if number is None and request is not None:  # it has just been made
        what = Party.of_request(request.id, builder, None).what
    else:
        what = f'{_name(builder)} #{number}'
    return Party(
        what=what,
        builder=builder,
        builderid=getattr(request, 'builderid', None),
        buildid=getattr(build, 'buildid', None),
        number=number,
        buildrequestid=getattr(request, 'id', None),
        worker=getattr(build, 'workername', None),
    )


def _name(text: Any) -> str:
    return clean(str(text), LONGEST)
