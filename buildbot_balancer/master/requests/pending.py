# SPDX-License-Identifier: GPL-2.0-or-later
"""Pending: what is kept in memory of each request that nobody has claimed. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

# The fields of a Pending in their order. Where a hundred thousand are kept they are plain tuples of
# numbers, which Python's garbage collector does not look at again and again.
Row = tuple[int, int, int, int, int, bool]


@attrs.frozen
class Pending:
    """One request; branch, properties and sources are Facts."""

    id: int
    builderid: int
    buildsetid: int
    priority: int
    submitted_at: int  # epoch seconds
    waited_for: bool

    @classmethod
    def from_message(cls, message: Any) -> Pending:
        """From an event of Buildbot's mq, which may have been JSON on its way.

        Raises KeyError, TypeError or ValueError for what is no request.
        """
        submitted_at = message['submitted_at']
        if isinstance(submitted_at, datetime):
            submitted_at = submitted_at.timestamp()
        return cls(
            id=int(message['buildrequestid']),
            builderid=int(message['builderid']),
            buildsetid=int(message['buildsetid']),
            priority=int(message['priority']),
            submitted_at=int(submitted_at),
            waited_for=bool(message['waited_for']),
        )

    @property
    def row(self) -> Row:
        return (
            self.id,
            self.builderid,
            self.buildsetid,
            self.priority,
            self.submitted_at,
            self.waited_for,
        )


def by_priority_then_age(pending: Pending) -> tuple[int, int]:
    """The smallest is first: the highest priority, then the oldest."""
    return -pending.priority, pending.submitted_at
