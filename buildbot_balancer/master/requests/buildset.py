# SPDX-License-Identifier: GPL-2.0-or-later
"""Buildset: what all requests of one buildset share, read in one go."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import attrs
import sqlalchemy as sa
from buildbot.util import epoch2datetime


@attrs.frozen(eq=False)
class Source:
    """One sourcestamp as Buildbot's data API shows it, and its newest change."""

    data: Mapping[str, Any]
    changeid: int | None


@attrs.frozen(eq=False)
class Buildset:
    reason: str
    properties: Mapping[str, tuple[Any, str]]
    sources: tuple[Source, ...]


async def fetch_buildset(master: Any, buildsetid: int) -> Buildset | None:
    """None: the database does not have it any more."""
    found: Buildset | None = await master.db.pool.do(_read, master.db.model, buildsetid)
    return found


def _read(connection: Any, model: Any, buildsetid: int) -> Buildset | None:
    rows = connection.execute(_stamps(model, buildsetid)).fetchall()
    if not rows:
        return None
    names = model.buildset_properties
    properties = connection.execute(
        sa.select(names.c.property_name, names.c.property_value).where(
            names.c.buildsetid == buildsetid
        )
    )
    return Buildset(
        reason=rows[0].reason,
        properties=_properties(properties),
        sources=tuple(_source(row) for row in rows if row.ssid is not None),
    )


def _stamps(model: Any, buildsetid: int) -> Any:
    """A row for each sourcestamp; at least one where there is the buildset."""
    sets, stamps, patches = model.buildsets, model.sourcestamps, model.patches
    links, changes = model.buildset_sourcestamps, model.changes
    newest = (
        sa.select(sa.func.max(changes.c.changeid))
        .where(changes.c.sourcestampid == stamps.c.id)
        .scalar_subquery()
    )
    return (
        sa.select(
            sets.c.reason,
            stamps.c.id.label('ssid'),
            stamps.c.branch,
            stamps.c.revision,
            stamps.c.project,
            stamps.c.repository,
            stamps.c.codebase,
            stamps.c.created_at,
            patches.c.id.label('patchid'),
            patches.c.patchlevel,
            patches.c.subdir,
            patches.c.patch_author,
            patches.c.patch_comment,
            patches.c.patch_base64,
            newest.label('changeid'),
        )
        .select_from(
            sets.outerjoin(links, links.c.buildsetid == sets.c.id)
            .outerjoin(stamps, stamps.c.id == links.c.sourcestampid)
            .outerjoin(patches, patches.c.id == stamps.c.patchid)
        )
        .where(sets.c.id == buildsetid)
        .order_by(links.c.id)
    )


def _properties(rows: Any) -> dict[str, tuple[Any, str]]:
    """As Buildbot reads them: one that is no JSON is left out."""
    found: dict[str, tuple[Any, str]] = {}
    for name, text in rows:
        try:
            value, source = json.loads(text)
        except (TypeError, ValueError):
            continue
        found[name] = (value, source)
    return found


def _source(row: Any) -> Source:
    patch = row.patchid is not None and {
        'patchid': row.patchid,
        'level': row.patchlevel,
        'subdir': row.subdir,
        'author': row.patch_author,
        'comment': row.patch_comment,
        'body': base64.b64decode(row.patch_base64),
    }
    data = {
        'ssid': row.ssid,
        'branch': row.branch,
        'revision': row.revision,
        'project': row.project,
        'repository': row.repository,
        'codebase': row.codebase,
        'created_at': epoch2datetime(row.created_at),
        'patch': patch or None,
    }
    return Source(data, row.changeid)
