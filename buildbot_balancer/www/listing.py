# SPDX-License-Identifier: GPL-2.0-or-later
"""Listing: Buildbot's filters, order, limit and fields on sights.

Buildbot's own way works on the dicts of all rows, and stumbles over None in ``load__lt=0.5``.
Here only the rows that are sent become dicts, so that a page costs little where many wait.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

from buildbot.data.base import ListResult
from buildbot.data.exceptions import InvalidQueryParameter

from buildbot_balancer.explain.sights import to_json

_KNOW_NONE = frozenset({'eq', 'ne', 'in', 'notin'})  # the others compare, and None compares to none


def listed(sights: Iterable[Any], spec: Any) -> ListResult:
    """The page of `sights` that is asked for; nothing is left in `spec` for Buildbot to do."""
    check_page(spec)
    rows = _ordered(_filtered(sights, spec.filters), spec.order or ())
    offset = spec.offset or 0
    end = None if spec.limit is None else offset + spec.limit
    return paged(rows[offset:end], len(rows), spec)


def paged(page: Sequence[Any], total: int, spec: Any) -> ListResult:
    """For a `page` that has been cut already."""
    result = ListResult([row(sight, spec.fields) for sight in page], spec.offset, total, spec.limit)
    spec.filters, spec.order, spec.fields = [], None, None
    spec.removePagination()
    return result


def row(sight: Any, fields: Iterable[str] | None = None) -> dict[str, Any]:
    whole = to_json(sight)
    return {name: whole[name] for name in fields} if fields else whole


def check_page(spec: Any) -> None:
    """Python would count a negative offset from the end."""
    for name in ('limit', 'offset'):
        if (getattr(spec, name) or 0) < 0:
            raise InvalidQueryParameter(f'"{name}" must not be negative')


def _filtered(sights: Iterable[Any], filters: Iterable[Any]) -> list[Any]:
    for one in filters:
        sights = [sight for sight in sights if _passes(one, getattr(sight, one.field))]
    return list(sights)


def _passes(one: Any, value: Any) -> bool:
    if value is None and one.op not in _KNOW_NONE:
        return False
    try:
        return bool(one.getOperator()(value, one.values))
    except TypeError as e:  # "contains" of a number
        raise InvalidQueryParameter(f'"{one.op}" does not fit the field "{one.field}"') from e


def _ordered(rows: list[Any], order: Sequence[str]) -> list[Any]:
    for key in reversed(order):  # sorting is stable: the first key is sorted by last
        name = key.lstrip('-')
        try:
            rows.sort(key=lambda sight: _place(getattr(sight, name)), reverse=key[0] == '-')
        except TypeError as e:  # a list of objects
            raise InvalidQueryParameter(f'the field "{name}" has no order') from e
    return rows


def _place(value: Any) -> tuple[bool, Any]:
    """Unknown comes first, as in Buildbot's own collections."""
    if isinstance(value, tuple):
        raise TypeError
    return value is not None, value
