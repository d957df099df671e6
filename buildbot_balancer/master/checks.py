# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks that need more of a config than the arguments of the service."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import attrs

from buildbot_balancer.locks import checks as locks
from buildbot_balancer.locks.outline import Outline
from buildbot_balancer.master.settings import Settings
from buildbot_balancer.policy.globs import matches


@attrs.frozen
class Names:
    """What a config defines."""

    builders: frozenset[str]
    workers: frozenset[str]
    prioritized: bool = False  # by a prioritizeBuilders of its own


def names_of(config: Any) -> Names:
    """`config` is whatever Outline.of takes."""
    outline = Outline.of(config)
    return Names(
        frozenset(builder.name for builder in outline.builders),
        frozenset(worker.name for worker in outline.workers),
        outline.prioritized,
    )


def findings(settings: Settings, config: Any) -> Iterator[str]:
    """All that is wrong or odd about a MasterConfig, a sentence each."""
    outline = Outline.of(config)
    yield from against_config(settings, names_of(outline))
    yield from locks.problems(outline)
    yield from locks.warnings(outline)


def against_config(settings: Settings, names: Names) -> Iterator[str]:
    """What the arguments mean only beside the rest of the config."""
    yield from _without_builder('builders', settings.builders or (), names)
    yield from _without_builder('policies', (glob for glob, _ in settings.policies), names)
    yield from _without_builder('max_running', settings.max_running, names)
    for hours in settings.availability:
        if not _matches(hours.worker_glob, names.workers):
            yield f'availability: {hours.worker_glob!r} matches no worker'
    if names.prioritized and settings.order not in (None, 'builder'):
        yield (
            f"order={settings.order!r} would ignore c['prioritizeBuilders']; say order='builder',"
            ' or leave one of them out'
        )
    for policy in settings.all_policies():
        for one in policy.filters:
            for glob in getattr(one, 'globs', tuple)():
                if not _matches(glob, names.workers):
                    yield f'{type(one).__name__}: {glob!r} matches no worker'


def _without_builder(argument: str, globs: Iterable[str], names: Names) -> Iterator[str]:
    """A typing error, for no config can mean it."""
    for glob in globs:
        if not _matches(glob, names.builders):
            yield f'{argument}: {glob!r} matches no builder'


def _matches(glob: str, names: frozenset[str]) -> bool:
    return any(matches(name, glob) for name in names)
