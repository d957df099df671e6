# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks that need more of a config than the arguments of the service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from buildbot_balancer.master.settings import Settings
from buildbot_balancer.policy.globs import matches


@attrs.frozen
class Names:
    """What a config defines."""

    builders: frozenset[str]
    workers: frozenset[str]


def names_of(config: Any) -> Names:
    """Of a MasterConfig."""
    return Names(
        frozenset(builder.name for builder in config.builders),
        frozenset(worker.name for worker in config.workers),
    )


def names_in(config_dict: Any) -> Names:
    """Of the dict that ``master.cfg`` fills, before Buildbot has read it."""
    return Names(
        frozenset(_names(config_dict.get('builders'))),
        frozenset(_names(config_dict.get('workers'))),
    )


def _names(entries: Any) -> Iterator[str]:
    for entry in entries or ():
        name = entry.get('name') if isinstance(entry, dict) else getattr(entry, 'name', None)
        if isinstance(name, str):
            yield name


def against_config(settings: Settings, names: Names) -> Iterator[str]:
    """Globs that match nothing: a typing error, for no config can mean them."""
    for glob in settings.builders or ():
        if not _matches(glob, names.builders):
            yield f'builders: {glob!r} matches no builder'
    for glob, _ in settings.policies:
        if not _matches(glob, names.builders):
            yield f'policies: {glob!r} matches no builder'
    for policy in settings.all_policies():
        for one in policy.filters:
            for glob in getattr(one, 'globs', tuple)():
                if not _matches(glob, names.workers):
                    yield f'{type(one).__name__}: {glob!r} matches no worker'


def _matches(glob: str, names: frozenset[str]) -> bool:
    return any(matches(name, glob) for name in names)
