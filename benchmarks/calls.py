# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls: how often the master asks its database, counted by one instance attribute."""

from __future__ import annotations

from typing import Any
from typing import Callable

from twisted.internet import defer


class Calls:
    """`made` so far, and `open` of them without an answer."""

    def __init__(self, pool: Any) -> None:
        self.made = 0
        self.open = 0
        for name in ('do', 'do_with_engine'):  # every other way goes through one of these
            setattr(pool, name, self._counted(getattr(pool, name)))

    def _counted(self, stock: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> defer.Deferred[Any]:
            self.made += 1
            self.open += 1
            answer: defer.Deferred[Any] = stock(*args, **kwargs)
            return answer.addBoth(self._answered)

        return counted

    def _answered(self, result: Any) -> Any:
        self.open -= 1
        return result
