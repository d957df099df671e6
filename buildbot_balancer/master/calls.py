# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls: of code of the config that may answer later, or never."""

from __future__ import annotations

import inspect
from typing import Any
from typing import Callable

from twisted.internet import defer

TIMEOUT = 60.0  # seconds


class Calls:
    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._pending: set[defer.Deferred[Any]] = set()

    def ask(self, function: Callable[..., Any], *args: Any) -> defer.Deferred[Any]:
        """Its answer; a TimeoutError where none comes in time, whatever it raises otherwise."""
        inner = defer.maybeDeferred(_called, function, args)
        if inner.called:
            return inner
        # What is cancelled may catch that and go on, so nobody waits for it itself.
        asked: defer.Deferred[Any] = defer.Deferred(lambda _: inner.cancel())
        self._pending.add(asked)
        inner.addBoth(_pass_on, asked)
        asked.addTimeout(TIMEOUT, self._reactor)
        return asked.addBoth(self._answered, asked)

    def cancel(self) -> None:
        """Nobody waits for an answer any more."""
        for one in list(self._pending):
            one.cancel()

    def _answered(self, result: Any, asked: defer.Deferred[Any]) -> Any:
        self._pending.discard(asked)
        return result


def _pass_on(result: Any, asked: defer.Deferred[Any]) -> None:
    if not asked.called:
        asked.callback(result)


def _called(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    result = function(*args)
    return defer.ensureDeferred(result) if inspect.iscoroutine(result) else result
