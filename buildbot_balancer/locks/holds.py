# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds: what is taken of a semaphore."""

# Misuse is an AssertionError, as with Buildbot's own locks.
# ruff: noqa: S101

from __future__ import annotations

from typing import Any

import attrs
from buildbot.locks import LockAccess


@attrs.define(eq=False)
class Hold:
    requester: Any
    access: Any
    counted: bool  # False: a second claim of an owner that holds as much already
    since: float  # of the semaphore's clock


@attrs.define(eq=False)
class Units:
    """What is taken, by holders or by offers."""

    counting: int = 0
    exclusive: int = 0

    def add(self, access: Any, sign: int = 1) -> None:
        if access.mode == 'counting':
            self.counting += sign * access.count
        else:
            self.exclusive += sign


def covers(has: Any, access: Any) -> bool:
    """Who has the one needs no more for the other."""
    if has.mode == 'exclusive':
        return True
    return bool(access.mode == 'counting' and access.count <= has.count)


def check(access: Any) -> None:
    assert isinstance(access, LockAccess)
    assert access.mode in {'counting', 'exclusive'}
    assert isinstance(access.count, int)
    assert access.count == 1 if access.mode == 'exclusive' else access.count >= 0
