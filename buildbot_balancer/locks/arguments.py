# SPDX-License-Identifier: GPL-2.0-or-later
"""What is wrong with the arguments of a lock, a sentence each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from buildbot_balancer.locks.turns import ORDERS

MODES = ('counting', 'exclusive')


def name_problems(name: Any) -> Iterator[str]:
    if not isinstance(name, str) or not name:
        yield f'its name must be a text, not {name!r}'


def limit_problems(argument: str, value: Any) -> Iterator[str]:
    if value is not None and not _is_count(value):
        yield (
            f'{argument} must be a number of units, 0 or more, or None for no limit, not {value!r}'
        )


def limits_problems(argument: str, value: Any, noun: str, *, none: bool = False) -> Iterator[str]:
    """Of a dict of names to limits; `none`: None is a name, too."""
    if value is None:
        return
    if not isinstance(value, Mapping):
        yield f'{argument} must be a dict of {noun} to numbers of units, not {value!r}'
        return
    for key, limit in value.items():
        if not isinstance(key, str) and not (none and key is None):
            yield f'{argument}: {key!r} is none of the {noun}'
        yield from limit_problems(f'{argument}[{key!r}]', limit)


def groups_problems(value: Any) -> Iterator[str]:
    if value is None:
        return
    if not isinstance(value, Mapping):
        yield f'workerToGroup must be a dict of worker names or globs to groups, not {value!r}'
        return
    for key, group in value.items():
        if not isinstance(key, str) or not key:
            yield f'workerToGroup: {key!r} is neither a name nor a glob of workers'
        if not isinstance(group, str) or not group:
            yield f'workerToGroup[{key!r}] must be the name of a group, not {group!r}'


def order_problems(order: Any, ageing: Any) -> Iterator[str]:
    if order not in ORDERS:
        yield f'order must be {" or ".join(map(repr, ORDERS))}, not {order!r}'
    number = isinstance(ageing, (int, float)) and not isinstance(ageing, bool)
    if not number or not math.isfinite(ageing) or ageing <= 0:
        yield f'ageing must be a number of seconds above 0, not {ageing!r}'


def bool_problems(argument: str, value: Any) -> Iterator[str]:
    if not isinstance(value, bool):
        yield f'{argument} must be True or False, not {value!r}'


def shared_problems(shared: Any, reserve: Any) -> Iterator[str]:
    yield from bool_problems('shared', shared)
    if shared is True and reserve is False:
        yield (
            'reserve=False has no meaning with shared=True: its units are taken from all masters'
            ' before a worker is'
        )


def text_problems(argument: str, value: Any) -> Iterator[str]:
    if value is not None and not isinstance(value, str):
        yield f'{argument} must be a text, not {value!r}'


def access_problems(mode: Any, count: Any, most: int | None) -> Iterator[str]:
    """`most`: the largest limit that the lock has anywhere, None for no limit."""
    if mode not in MODES:
        yield f'access: the mode must be {" or ".join(map(repr, MODES))}, not {mode!r}'
    elif not _is_count(count):
        yield f'access: count must be a number of units, 0 or more, not {count!r}'
    elif mode == 'exclusive' and count != 1:
        yield f'access: exclusive access has no count, so it must be left at 1, not {count!r}'
    elif most and mode == 'counting' and count > most:
        # a limit of 0 closes a lock on purpose
        yield f'access: count={count} is more than the lock ever has, which is {most}'


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
