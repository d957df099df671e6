# SPDX-License-Identifier: GPL-2.0-or-later
"""Attempt: work on the database in one transaction, whose failure is an answer.

Buildbot's own pool logs each failure with its traceback, and tries some of them for a day, in one
of the few threads that there are.
"""

from __future__ import annotations

from typing import Any
from typing import Callable

import attrs
import sqlalchemy as sa

from buildbot_balancer.availability.text import clean


@attrs.frozen(kw_only=True)
class Outcome:
    """`problem`: why there is no `value`, as a part of a sentence."""

    value: Any = None
    problem: str = ''


def attempt(engine: sa.Engine, work: Callable[..., Any], *args: Any) -> Outcome:
    """`work(connection, *args)`, committed when it returns."""
    try:
        with engine.begin() as connection:
            return Outcome(value=work(connection, *args))
    except sa.exc.SQLAlchemyError as e:
        return Outcome(problem=described(e))


def described(error: Exception) -> str:
    """What the database said, without the statement and its values, which are the users'."""
    said = str(getattr(error, 'orig', None) or error).strip()
    return clean(said.splitlines()[0] if said else type(error).__name__, 200)
