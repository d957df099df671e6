# SPDX-License-Identifier: GPL-2.0-or-later
"""Overlays: instance attributes over Buildbot's objects, put on and taken off in one place."""

from __future__ import annotations

from typing import Any
from typing import Callable

import attrs

_MISSING = object()


@attrs.define(eq=False)
class _Overlay:
    owner: Any
    name: str
    before: Any  # what the instance itself had, or _MISSING
    ours: Any
    on: bool = True


class Overlays:
    """Each is put on once an object; taken off, the object is as it was.

    Where somebody else has put something over ours meanwhile, ours stays below and only passes
    calls on.
    """

    def __init__(self) -> None:
        self._overlays: dict[tuple[int, str], _Overlay] = {}

    def put(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """`make` gets what was there, and returns what shall be there."""
        key = (id(owner), name)
        if key in self._overlays:
            return
        stock = getattr(owner, name)
        replacement = make(stock)
        overlay = _Overlay(owner, name, owner.__dict__.get(name, _MISSING), None)

        def ours(*args: Any, **kwargs: Any) -> Any:
            return (replacement if overlay.on else stock)(*args, **kwargs)

        overlay.ours = ours
        setattr(owner, name, ours)
        self._overlays[key] = overlay

    def take_off(self) -> None:
        for overlay in self._overlays.values():
            overlay.on = False
            if overlay.owner.__dict__.get(overlay.name) is not overlay.ours:
                continue
            if overlay.before is _MISSING:
                delattr(overlay.owner, overlay.name)
            else:
                setattr(overlay.owner, overlay.name, overlay.before)
        self._overlays.clear()

    def forget(self, keep: Callable[[Any], bool]) -> None:
        """Lets go of objects that Buildbot itself has let go of."""
        gone = [key for key, overlay in self._overlays.items() if not keep(overlay.owner)]
        for key in gone:
            self._overlays.pop(key).on = False
