# SPDX-License-Identifier: GPL-2.0-or-later
"""What a step holds and waits for, where Buildbot's own bookkeeping of it goes wrong.

Pinned by tests: the attributes are Buildbot's, and private.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from twisted.internet import defer

from buildbot_balancer import log


def interrupt(step: Any, reason: Any) -> defer.Deferred[Any]:
    """``step.interrupt(reason)``, at any moment after the step's start; never fails.

    Buildbot's raises while the step's row is being added to the database; what it would have set
    is set here, and is looked at before the step's run().
    """
    if step.stepid is None:
        step.stopped = True
        return defer.succeed(None)
    forget_old_waits(step)
    told = defer.maybeDeferred(step.interrupt, reason)
    return told.addErrback(log.failed, f'interrupting the step {step.name!r}')


def forget_old_waits(step: Any) -> None:
    """A step that was woken and finds its lock taken waits again, and Buildbot keeps both waits;
    its interrupt then raises AssertionError over the old one and leaves the step waiting.
    """
    latest = {id(lock): (lock, access, woken) for lock, access, woken in step._acquiringLocks}  # noqa: SLF001
    step._acquiringLocks = list(latest.values())  # noqa: SLF001


def let_go(step: Any) -> None:
    """Gives back what `step` holds; safe to call again, and without a claim."""
    if not step.stopped:  # an interrupt has already taken the step out of the queues
        _stop_waiting(step)
    for lock, access in step._locks_to_acquire:  # noqa: SLF001
        if lock.isOwner(step, access):
            lock.release(step, access)


def _stop_waiting(step: Any) -> None:
    """A claim that raised leaves the step in the queue, and everybody behind it waits for ever."""
    forget_old_waits(step)
    waits, step._acquiringLocks = step._acquiringLocks, []  # noqa: SLF001
    for lock, access, woken in waits:
        with suppress(AssertionError):  # it was not in the queue any more
            lock.stopWaitingUntilAvailable(step, access, woken)
