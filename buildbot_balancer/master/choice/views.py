# SPDX-License-Identifier: GPL-2.0-or-later
"""From Buildbot's objects to the frozen views that a policy sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from buildbot_balancer.master import compat
from buildbot_balancer.master.workers.fleet import Fleet
from buildbot_balancer.policy.capable import PROPERTY
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import SourceView
from buildbot_balancer.policy.views import WorkerView


def request_view(breq: Any, builder: Any, now: float) -> RequestView:
    """`breq`: Buildbot's BuildRequest."""
    properties = {name: value for name, (value, _) in breq.properties.asDict().items()}
    of_builder = {**(builder.config.defaultProperties or {}), **(builder.config.properties or {})}
    submitted_at = float(breq.submittedAt or now)
    return RequestView(
        id=breq.id,
        builder=builder.name,
        builderid=breq.builderid,
        buildsetid=breq.bsid,
        priority=breq.priority,
        submitted_at=submitted_at,
        waited=max(now - submitted_at, 0.0),
        waited_for=compat.waited_for(breq),
        reason=breq.reason or '',
        sources=tuple(_source(one) for one in breq.sources.values()),
        properties=properties,
        requires=tuple(
            place[PROPERTY] for place in (of_builder, properties) if place.get(PROPERTY)
        ),
    )


def _source(stamp: Any) -> SourceView:
    return SourceView(
        codebase=stamp.codebase,
        repository=stamp.repository,
        branch=stamp.branch,
        revision=stamp.revision,
        project=stamp.project,
    )


def worker_view(
    worker: Any,
    fleet: Fleet,
    *,
    now: float,
    busy: bool,
    locks_held: tuple[str, ...] = (),
    locks_never: tuple[str, ...] = (),
    compatible: bool | None = None,
) -> WorkerView:
    """`busy`: the builder in question runs a build on it."""
    standing = fleet.standing(worker)
    presence = standing.presence
    return WorkerView(
        name=standing.name,
        workerid=worker.workerid,
        mood=standing.mood,
        reason=standing.reason,
        source=standing.source,
        until=standing.until,
        fresh=standing.fresh,
        freshness=standing.freshness.value,
        reported_at=standing.reported_at,
        held=standing.held,
        changes_at=standing.changes_at,
        clears_at=standing.clears_at,
        draining=standing.draining,
        connected=presence.connected,
        paused=presence.paused,
        graceful=presence.graceful,
        quarantined=presence.quarantined,
        latent=presence.latent,
        compatible=compatible,
        busy=busy,
        running=presence.running,
        max_builds=presence.max_builds,
        load=fleet.loads.expected(standing, now),
        foreign_load=fleet.loads.foreign(standing),
        cpu=standing.cpu,
        memory=standing.memory,
        cpus=standing.cpus,
        host=standing.host,
        idle=standing.idle,
        locks_held=locks_held,
        locks_never=locks_never,
        properties=_properties(worker),
        facts=standing.facts,
    )


def _properties(worker: Any) -> Mapping[str, Any]:
    return {name: value for name, (value, _) in worker.properties.asDict().items()}
