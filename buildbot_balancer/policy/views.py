# SPDX-License-Identifier: GPL-2.0-or-later
"""What filters and scorers see: frozen views, made anew for each decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.wire import Fact


@attrs.frozen(kw_only=True)
class SourceView:
    """One sourcestamp of a request."""

    codebase: str = ''
    repository: str = ''
    branch: str | None = None
    revision: str | None = None
    project: str = ''


@attrs.frozen(kw_only=True)
class RequestView:
    """A build request that waits. Times are epoch seconds, `waited` is seconds."""

    id: int
    builder: str
    builderid: int = 0
    buildsetid: int = 0
    priority: int = 0
    submitted_at: float = 0.0
    waited: float = 0.0
    waited_for: bool = False  # another build waits for it
    reason: str = ''
    sources: tuple[SourceView, ...] = ()
    properties: Mapping[str, Any] = attrs.field(factory=dict)
    requires: tuple[Mapping[str, Any], ...] = ()  # of the builder and of the request: all hold

    @property
    def branch(self) -> str | None:
        """The branch of the only sourcestamp; None where there are several."""
        return self.sources[0].branch if len(self.sources) == 1 else None


@attrs.frozen(kw_only=True)
class WorkerView:
    """A worker of the request's builder. None means unknown. Loads are per CPU."""

    name: str
    workerid: int | None = None
    mood: Mood = Mood.EAGER
    reason: str | None = None  # as the owner typed it
    source: str = 'unreported'  # who decided the mood
    until: float | None = None  # epoch seconds
    fresh: bool = False  # the last report is not stale
    freshness: str = 'unreported'  # fresh, stale, silent, unreported
    reported_at: float | None = None
    held: bool = False  # has just attached, its first report is awaited
    changes_at: float | None = None  # when the standing changes with no event
    clears_at: float | None = None  # epoch seconds: a build that starts must be over by then
    draining: bool = False
    connected: bool = True
    paused: bool = False
    graceful: bool = False
    quarantined: bool = False
    latent: bool = False
    compatible: bool | None = None  # with this request; None: Buildbot was not asked
    busy: bool = False  # this builder runs a build on it already
    running: int = 0  # builds of all builders
    max_builds: int | None = None
    load: float | None = None  # with what builds that just started will add
    foreign_load: float | None = None  # without what our builds on that machine make
    cpu: float | None = None  # 0..1
    memory: float | None = None  # 0..1
    cpus: int | None = None
    host: str | None = None
    idle: float | None = None  # seconds since a person used the machine
    locks_held: tuple[str, ...] = ()  # locks of the build that it could not have now
    locks_never: tuple[str, ...] = ()  # those of which it wants more than there ever is here
    properties: Mapping[str, Any] = attrs.field(factory=dict)  # from the master's config
    facts: Mapping[str, Fact] = attrs.field(factory=dict)  # from the worker's report
