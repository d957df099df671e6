# SPDX-License-Identifier: GPL-2.0-or-later
"""Outline: the builders and workers of a config, as far as they can be read."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import attrs
from buildbot.config.builder import BuilderConfig


@attrs.frozen(eq=False)
class BuilderOutline:
    name: str
    workernames: tuple[str, ...]
    locks: Any
    steps: Any  # of its factory


@attrs.frozen(eq=False)
class WorkerOutline:
    name: str
    locks: Any


@attrs.frozen(eq=False)
class Outline:
    """What cannot be read is left out: Buildbot itself says what is wrong with it."""

    builders: tuple[BuilderOutline, ...]
    workers: tuple[WorkerOutline, ...]
    prioritized: bool = False  # it has a prioritizeBuilders

    @classmethod
    def of(cls, config: Any) -> Outline:
        """Of a MasterConfig, of the dict that ``master.cfg`` fills, or of an Outline, itself."""
        if isinstance(config, Outline):
            return config
        if isinstance(config, Mapping):
            builders, workers = config.get('builders'), config.get('workers')
            sorter = config.get('prioritizeBuilders')
        else:
            builders, workers = config.builders, config.workers
            sorter = getattr(config, 'prioritizeBuilders', None)
        return cls(tuple(_builders(builders)), tuple(_workers(workers)), sorter is not None)


def _builders(entries: Any) -> Iterator[BuilderOutline]:
    for entry in _list(entries):
        given = vars(entry) if isinstance(entry, BuilderConfig) else entry
        name = _text(given.get('name')) if isinstance(given, dict) else ''
        if name:
            steps = _read(given.get('factory'), 'steps')
            yield BuilderOutline(name, tuple(_places(given)), given.get('locks'), steps)


def _workers(entries: Any) -> Iterator[WorkerOutline]:
    for entry in _list(entries):
        name = _text(_read(entry, 'workername'))
        if name:
            yield WorkerOutline(name, _read(entry, 'access'))


def _places(given: dict[str, Any]) -> Iterator[str]:
    several = given.get('workernames')
    for name in (
        *_list([several] if isinstance(several, str) else several),
        given.get('workername'),
    ):
        if isinstance(name, str) and name:
            yield name


def _list(value: Any) -> Any:
    return value if isinstance(value, (list, tuple)) else ()


def _text(value: Any) -> str:
    if isinstance(value, bytes):  # Buildbot takes them as ASCII
        return value.decode('ascii', 'replace')
    return value if isinstance(value, str) else ''


def _read(thing: Any, attribute: str) -> Any:
    """An attribute may be code of the config."""
    try:
        return getattr(thing, attribute, None)
    except Exception:
        return None
