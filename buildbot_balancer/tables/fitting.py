# SPDX-License-Identifier: GPL-2.0-or-later
"""Fitting: texts as a column can keep them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from buildbot_balancer.availability.text import clean


def fitting(column: sa.Column[Any], value: Any) -> Any:
    """A text on one line and no longer than the column; other values as they are."""
    if not isinstance(value, str):
        return value
    return clean(value, getattr(column.type, 'length', None) or 0)


def encodable(connection: sa.Connection, value: Any) -> Any:
    """As this database can be told: Buildbot speaks UTF-8 of at most 3 bytes to MySQL."""
    narrow = connection.dialect.name in {'mysql', 'mariadb'}
    return narrowed(value) if narrow and isinstance(value, str) else value


def narrowed(text: str) -> str:
    return ''.join(char if char < '\U00010000' else '\ufffd' for char in text)
