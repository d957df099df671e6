# SPDX-License-Identifier: GPL-2.0-or-later
"""Names: a dict whose keys are names or globs of names; and limits, the values of such dicts."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any
from typing import Generic
from typing import TypeVar

Value = TypeVar('Value')
_GLOB = frozenset('*?[')


class Names(Generic[Value]):
    """Exact names win, then the first glob in the order of the dict. None is a name, too."""

    def __init__(self, given: Mapping[Any, Value]) -> None:
        self._exact: dict[Any, Value] = dict(given)
        self._globs = [
            (key, value) for key, value in given.items() if isinstance(key, str) and is_glob(key)
        ]

    def get(self, name: str | None, default: Value) -> Value:
        if name in self._exact:
            return self._exact[name]
        for glob, value in self._globs:
            if name is not None and fnmatchcase(name, glob):
                return value
        return default

    def key(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Equal for dicts that mean the same: only the order of globs counts."""
        exact = sorted(self._exact.items(), key=lambda item: (item[0] is not None, item[0] or ''))
        return tuple(exact), tuple(self._globs)


def largest(limits: Iterable[int | None]) -> int | None:
    """None, which is no limit, is the largest of all."""
    most = 0
    for limit in limits:
        if limit is None:
            return None
        most = max(most, limit)
    return most


def is_glob(name: str) -> bool:
    return not _GLOB.isdisjoint(name)
