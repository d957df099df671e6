# SPDX-License-Identifier: GPL-2.0-or-later
"""Want: what somebody asks of one shared lock, and what became of the asking."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from collections.abc import Mapping
from typing import NamedTuple

import attrs

COUNTING = 'counting'
EXCLUSIVE = 'exclusive'


class LockKey(NamedTuple):
    """A shared lock over all masters; `group` is the worker, group or branch, or ''."""

    name: str
    group: str = ''

    @property
    def id(self) -> int:
        """The same on every master, and fit for a topic of the mq; 63 bits."""
        text = f'{len(self.name)} {self.name} {self.group}'
        digest = hashlib.sha256(text.encode('utf-8', 'surrogatepass')).digest()
        return int.from_bytes(digest[:8], 'big') >> 1


@attrs.frozen
class Want:
    """`limit`: the lock's, as this master is configured; None is no limit."""

    lock: str
    group: str = ''
    limit: int | None = 1
    mode: str = attrs.field(default=COUNTING, validator=attrs.validators.in_((COUNTING, EXCLUSIVE)))
    count: int = 1

    @property
    def key(self) -> LockKey:
        return LockKey(self.lock, self.group)

    @property
    def is_never(self) -> bool:
        """No release can ever make room for it."""
        least = 1 if self.mode == EXCLUSIVE else self.count
        return self.limit is not None and least > self.limit


@attrs.frozen
class Taken:
    """`tokens`: each grant's number, which rises with each grant of its lock."""

    tokens: Mapping[LockKey, int]


@attrs.frozen
class Refused:
    """Nothing was taken; `lock` is the first that cannot be had, `because` a part of a sentence.

    `ahead`: the owner whose turn comes before, if that is why: it may have to be asked.
    """

    lock: LockKey
    because: str
    ahead: str = ''


def by_lock(wants: Iterable[Want]) -> dict[int, Want]:
    """By the locks' ids, in their order; a lock that is named twice is taken once, at its most.

    Those of no units are left out.
    """
    found: dict[int, Want] = {}
    for want in wants:
        if want.mode == COUNTING and want.count < 1:
            continue
        other = found.get(want.key.id)
        found[want.key.id] = want if other is None else max(other, want, key=_weight)
    return dict(sorted(found.items()))


def _weight(want: Want) -> tuple[bool, int]:
    return want.mode == EXCLUSIVE, want.count
