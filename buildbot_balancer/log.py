# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines in the log of a master or a worker, each recognisable and each one line."""

from __future__ import annotations

from twisted.python import log
from twisted.python.failure import Failure

from buildbot_balancer.availability.text import clean

LONGEST = 1000  # characters


def say(text: str) -> None:
    """`text` may hold what strangers typed."""
    log.msg(f'buildbot-balancer: {clean(text, LONGEST)}')


def failed(why: Failure, doing: str) -> None:
    """A defect of ours or of the config's code: with its traceback. Fit for addErrback."""
    log.err(why, f'buildbot-balancer: {doing}')
