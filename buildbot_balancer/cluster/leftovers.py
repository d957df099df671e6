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
    """`names`: of the dead masters, by id."""

    claims: frozenset[Claim] = frozenset()
    builds: frozenset[Unfinished] = frozenset()
    names: Mapping[int, str] = attrs.field(factory=dict)

    def without(self, requests: Collection[int], builds: Collection[int]) -> Leftovers:
        return Leftovers(
            frozenset(one for one in self.claims if one.buildrequestid not in requests),
            frozenset(one for one in self.builds if one.buildid not in builds),
            self.names,
        )

    def also_in(self, other: Leftovers) -> Leftovers:
        return Leftovers(self.claims & other.claims, self.builds & other.builds, self.names)

    def and_of(self, other: Leftovers) -> Leftovers:
        return Leftovers(
            self.claims | other.claims, self.builds | other.builds, {**self.names, **other.names}
        )


@attrs.frozen(kw_only=True)
class Finished:
    """What has ended with a build."""

    buildid: int
    steps: tuple[int, ...] = ()
    logs: tuple[int, ...] = ()


def living(connection: sa.Connection) -> set[int]:
    """The masters that show by what the Balancer keeps that they live."""
    lives = now(connection) <= shared_leases.ENDS
    has_lease = sa.select(INCARNATION.c.masterid).where(lives)
    return seen.alive(connection, SILENT) | set(connection.execute(has_lease).scalars())


def find(connection: sa.Connection, model: Any, own: int) -> Leftovers:
    masters = model.masters
    alive = {own, *living(connection)}
    asked = sa.select(masters.c.id, masters.c.name).where(masters.c.active == 0)
    names = {one: name for one, name in connection.execute(asked) if one not in alive}
    return _of(connection, model, names) if names else Leftovers()


def find_own(connection: sa.Connection, model: Any, own: int) -> Leftovers:
    """What `own` has claimed and begun: what it knows nothing of was left by an earlier run, where
    another master had called that one dead before it came back.
    """
    masters = model.masters
    query = sa.select(masters.c.id, masters.c.name).where(masters.c.id == own)
    return _of(connection, model, dict(tuple(row) for row in connection.execute(query)))


def _of(connection: sa.Connection, model: Any, names: Mapping[int, str]) -> Leftovers:
    claims, builds, requests = model.buildrequest_claims, model.builds, model.buildrequests
    claimed = (
        sa.select(claims.c.brid, claims.c.masterid, claims.c.claimed_at)
        .select_from(claims.join(requests, requests.c.id == claims.c.brid))
        .where(claims.c.masterid.in_(names), requests.c.complete == 0)
    )
    unfinished = sa.select(builds.c.id, builds.c.masterid).where(
        builds.c.masterid.in_(names), builds.c.complete_at.is_(None)
    )
    return Leftovers(
        frozenset(
            Claim(buildrequestid=request, masterid=master, claimed_at=at)
            for request, master, at in connection.execute(claimed)
        ),
        frozenset(
            Unfinished(buildid=build, masterid=master)
            for build, master in connection.execute(unfinished)
        ),
        names,
    )


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
    """As Buildbot's housekeeping does; None where somebody else has. `at`: epoch seconds."""
    if build.masterid != own and not _keep_dead(connection, model, build.masterid):
        return None
    builds, steps, logs = model.builds, model.steps, model.logs
    runs = sa.and_(builds.c.id == build.buildid, builds.c.complete_at.is_(None))
    over = sa.update(builds).where(runs).values(complete_at=at, results=RETRY)
    if not connection.execute(over).rowcount:
        return None
    query = sa.select(steps.c.id).where(steps.c.buildid == build.buildid, steps.c.results.is_(None))
    open_steps = list(connection.execute(query).scalars())
    query = sa.select(logs.c.id).where(logs.c.stepid.in_(open_steps), logs.c.complete == 0)
    open_logs = list(connection.execute(query).scalars())
    connection.execute(sa.update(logs).where(logs.c.id.in_(open_logs)).values(complete=1))
    ended = sa.update(steps).where(steps.c.id.in_(open_steps))
    connection.execute(ended.values(complete_at=at, results=RETRY, hidden=0))
    return Finished(buildid=build.buildid, steps=tuple(open_steps), logs=tuple(open_logs))


def _keep_dead(connection: sa.Connection, model: Any, masterid: int) -> bool:
    """It can neither become active nor claim anything until this transaction ends."""
    table = model.masters
    query = sa.select(table.c.active).where(table.c.id == masterid).with_for_update()
    active = connection.execute(query).scalar()
    return active == 0 and masterid not in living(connection)
