# SPDX-License-Identifier: GPL-2.0-or-later
"""SortedList: values in order, of which any may come or go while somebody goes through them. Pure.

Blocks of bounded length, found by bisection: O(log n) comparisons and one short move in memory.
"""

from __future__ import annotations

from bisect import bisect_left
from bisect import bisect_right
from bisect import insort_right
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from typing import Generic
from typing import TypeVar

T = TypeVar('T', bound='tuple[Any, ...]')

LONGEST = 512  # values in a block; a longer one is halved


class SortedList(Generic[T]):
    """Its values are tuples that can be compared, no two of them equal."""

    __slots__ = ('_blocks', '_changes', '_lasts', '_length')

    def __init__(self, values: Iterable[T] = ()) -> None:
        ordered = sorted(values)
        half = LONGEST // 2
        self._blocks = [ordered[at : at + half] for at in range(0, len(ordered), half)]
        self._lasts = [block[-1] for block in self._blocks]
        self._length = len(ordered)
        self._changes = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[T]:
        """In order, also while it changes: what comes behind the place reached is still met, and
        what has gone is not.
        """
        number = place = 0
        while number < len(self._blocks):
            value = self._blocks[number][place]
            seen = self._changes
            yield value
            if seen == self._changes:
                place += 1
                if place == len(self._blocks[number]):
                    number, place = number + 1, 0
            else:
                number, place = self._behind(value)

    def first(self) -> T | None:
        return self._blocks[0][0] if self._blocks else None

    def add(self, value: T) -> None:
        self._changes += 1
        self._length += 1
        if not self._blocks:
            self._blocks.append([value])
            self._lasts.append(value)
            return
        number = min(bisect_left(self._lasts, value), len(self._blocks) - 1)
        block = self._blocks[number]
        insort_right(block, value)
        self._lasts[number] = block[-1]
        if len(block) > LONGEST:
            self._halve(number)

    def remove(self, value: T) -> bool:
        """False where it was not there."""
        number = bisect_left(self._lasts, value)
        if number == len(self._blocks):
            return False
        block = self._blocks[number]
        place = bisect_left(block, value)
        if block[place] != value:
            return False
        del block[place]
        if block:
            self._lasts[number] = block[-1]
        else:
            del self._blocks[number], self._lasts[number]
        self._changes += 1
        self._length -= 1
        return True

    def _behind(self, value: T) -> tuple[int, int]:
        number = bisect_right(self._lasts, value)
        if number == len(self._blocks):
            return number, 0
        return number, bisect_right(self._blocks[number], value)

    def _halve(self, number: int) -> None:
        block = self._blocks[number]
        half = len(block) // 2
        self._blocks[number : number + 1] = [block[:half], block[half:]]
        self._lasts[number : number + 1] = [block[half - 1], block[-1]]
