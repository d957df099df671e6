# SPDX-License-Identifier: GPL-2.0-or-later
"""Leftovers: what a dead master has left behind in Buildbot's own tables, and its end.

A master is dead when Buildbot's expiry has said so, and nothing of the Balancer's says otherwise:
one that has just come back works before Buildbot calls it active. `model` is Buildbot's. Whoever
ends something locks the row of its master first, so that it cannot come back in the middle.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import attrs
import sqlalchemy as sa
from buildbot.process.results import RETRY

from buildbot_balancer.master.starts import buildrows
from buildbot_balancer.master.starts.buildrows import Finished
from buildbot_balancer.tables import seen
from buildbot_balancer.tables import shared_leases
from buildbot_balancer.tables.clock import now
from buildbot_balancer.tables.schema import INCARNATION

SILENT = 60.0  # seconds for which a master that publishes may say nothing, and is alive
AT_ONCE = 100  # requests of one transaction


@attrs.frozen(kw_only=True)
class Claim:
    buildrequestid: int
    masterid: int
    claimed_at: int  # another claim of the same master is another one


@attrs.frozen(kw_only=True)
class Unfinished:
    buildid: int
    masterid: int


@attrs.frozen
class Leftovers:
    """`names`: of the dead masters, by id. `buildsets`: all requests of which are complete."""

    claims: frozenset[Claim] = frozenset()
    builds: frozenset[Unfinished] = frozenset()
    names: Mapping[int, str] = attrs.field(factory=dict)
    buildsets: frozenset[int] = frozenset()

    def without(self, requests: Collection[int], builds: Collection[int]) -> Leftovers:
        return Leftovers(
            frozenset(one for one in self.claims if one.buildrequestid not in requests),
            frozenset(one for one in self.builds if one.buildid not in builds),
            self.names,
            self.buildsets,
        )

    def also_in(self, other: Leftovers) -> Leftovers:
        return Leftovers(
            self.claims & other.claims,
            self.builds & other.builds,
            self.names,
            self.buildsets & other.buildsets,
        )

    def and_of(self, other: Leftovers) -> Leftovers:
        return Leftovers(
            self.claims | other.claims,
            self.builds | other.builds,
            {**self.names, **other.names},
            self.buildsets | other.buildsets,
        )


def living(connection: sa.Connection) -> set[int]:
    """The masters that show by what the Balancer keeps that they live."""
    lives = now(connection) <= shared_leases.ENDS
    has_lease = sa.select(INCARNATION.c.masterid).where(lives)
    return seen.alive(connection, SILENT) | set(connection.execute(has_lease).scalars())


def find(connection: sa.Connection, model: Any, own: int) -> Leftovers:
    """Of masters that are dead."""
    masters = model.masters
    alive = {own, *living(connection)}
    asked = sa.select(masters.c.id, masters.c.name).where(masters.c.active == 0)
    names = {one: name for one, name in connection.execute(asked) if one not in alive}
    claims = _claims(connection, model, names) if names else frozenset()
    # builds are not indexed by their end: those of masters that have left nothing are not read
    some = {one.masterid for one in claims}
    return Leftovers(claims, _builds(connection, model, some), names)


def find_own(connection: sa.Connection, model: Any, own: int) -> Leftovers:
    """What `own` has claimed and begun: what it knows nothing of was left by an earlier run, where
    another master had called that one dead before it came back, or by a database that failed.
    Reads all builds of the master.
    """
    masters = model.masters
    query = sa.select(masters.c.id, masters.c.name).where(masters.c.id == own)
    names = dict(tuple(row) for row in connection.execute(query))
    claims, builds = _claims(connection, model, names), _builds(connection, model, names)
    return Leftovers(claims, builds, names, _buildsets(connection, model))


def _claims(connection: sa.Connection, model: Any, masters: Iterable[int]) -> frozenset[Claim]:
    claims, requests = model.buildrequest_claims, model.buildrequests
    query = (
        sa.select(claims.c.brid, claims.c.masterid, claims.c.claimed_at)
        .select_from(claims.join(requests, requests.c.id == claims.c.brid))
        .where(claims.c.masterid.in_(masters), requests.c.complete == 0)
    )
    return frozenset(
        Claim(buildrequestid=request, masterid=master, claimed_at=at)
        for request, master, at in connection.execute(query)
    )


def _builds(connection: sa.Connection, model: Any, masters: Iterable[int]) -> frozenset[Unfinished]:
    builds, some = model.builds, list(masters)
    query = sa.select(builds.c.id, builds.c.masterid).where(
        builds.c.masterid.in_(some), builds.c.complete_at.is_(None)
    )
    return frozenset(
        Unfinished(buildid=build, masterid=master)
        for build, master in (connection.execute(query) if some else ())
    )


def _buildsets(connection: sa.Connection, model: Any) -> frozenset[int]:
    """Open ones of which each request is complete."""
    buildsets, requests = model.buildsets, model.buildrequests
    of_it = requests.c.buildsetid == buildsets.c.id
    query = sa.select(buildsets.c.id).where(
        buildsets.c.complete == 0,
        sa.exists().where(of_it),
        ~sa.exists().where(of_it, requests.c.complete == 0),
    )
    return frozenset(connection.execute(query).scalars())


def built(
    connection: sa.Connection, model: Any, own: int, masterid: int, claims: Iterable[Claim]
) -> dict[int, int]:
    """The results of those requests whose build came to its end, by request: only that they are
    complete was not written.
    """
    if masterid != own and not _keep_dead(connection, model, masterid):
        return {}
    builds, found = model.builds, {}
    for claim in claims:
        query = sa.select(builds.c.results).where(
            builds.c.buildrequestid == claim.buildrequestid,
            builds.c.masterid == masterid,
            builds.c.started_at >= claim.claimed_at,
            builds.c.complete_at.is_not(None),
        )
        last = connection.execute(query.order_by(builds.c.id.desc()).limit(1)).scalar()
        if last is not None and last != RETRY:
            found[claim.buildrequestid] = last
    return found


def unclaim(
    connection: sa.Connection, model: Any, own: int, masterid: int, claims: Iterable[Claim]
) -> list[int]:
    """The requests of those claims that this very call has ended."""
    if masterid != own and not _keep_dead(connection, model, masterid):
        return []
    table, ended = model.buildrequest_claims, []
    for claim in sorted(claims, key=lambda one: one.buildrequestid):
        same = sa.and_(
            table.c.brid == claim.buildrequestid,
            table.c.masterid == masterid,
            table.c.claimed_at == claim.claimed_at,
        )
        if connection.execute(sa.delete(table).where(same)).rowcount:
            ended.append(claim.buildrequestid)
    return ended


def finish(
    connection: sa.Connection, model: Any, own: int, build: Unfinished, at: int
) -> Finished | None:
    """None where somebody else has, or must. `at`: epoch seconds."""
    if build.masterid != own and not _keep_dead(connection, model, build.masterid):
        return None
    return buildrows.finish(connection, model, build.buildid, RETRY, at)


def _keep_dead(connection: sa.Connection, model: Any, masterid: int) -> bool:
    """It can neither become active nor claim anything until this transaction ends."""
    table = model.masters
    query = sa.select(table.c.active).where(table.c.id == masterid).with_for_update()
    active = connection.execute(query).scalar()
    return active == 0 and masterid not in living(connection)
