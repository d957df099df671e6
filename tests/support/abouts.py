# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known of workers, as the room `explain` is given it."""

from __future__ import annotations

from typing import Any

import attrs

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.standing import Freshness
from buildbot_balancer.availability.standing import Presence
from buildbot_balancer.availability.standing import Standing
from buildbot_balancer.explain.about import About

NOW = 1_700_000_000.0
OF_PRESENCE = {field.name for field in attrs.fields(Presence)}


def an_about(name: str = 'w1', **facts: Any) -> About:
    """An eager worker that is connected, but for these facts of its standing and presence."""
    presence = {key: facts.pop(key) for key in list(facts) if key in OF_PRESENCE}
    mine = {key: facts.pop(key) for key in ('owner', 'pause_reason') if key in facts}
    said: dict[str, Any] = {'mood': Mood.EAGER, 'source': 'owner', 'freshness': Freshness.FRESH}
    standing = Standing(
        name=name, presence=Presence(**{'connected': True, **presence}), **{**said, **facts}
    )
    return About(standing=standing, **mine)
