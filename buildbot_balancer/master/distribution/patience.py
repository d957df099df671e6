# SPDX-License-Identifier: GPL-2.0-or-later
"""Patience: to wait for something for a while, and to go on without it."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer


def patience(reactor: Any, what: defer.Deferred[Any], seconds: float) -> defer.Deferred[None]:
    """Fires when `what` has fired, at the latest after so many seconds; `what` goes on."""
    over: defer.Deferred[None] = defer.Deferred()
    timer = reactor.callLater(seconds, over.callback, None)

    def fired(result: Any) -> Any:
        if timer.active():
            timer.cancel()
            over.callback(None)
        return result

    what.addBoth(fired)
    return over
