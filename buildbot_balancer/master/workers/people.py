# SPDX-License-Identifier: GPL-2.0-or-later
"""People: whose machine a worker is, and all else that is told of one worker."""

from __future__ import annotations

import re
from typing import Any

from buildbot_balancer.availability.text import clean
from buildbot_balancer.explain.about import About
from buildbot_balancer.master import compat
from buildbot_balancer.master.workers.fleet import Fleet

NAME = 40  # characters
NOBODY = 'Your Name Here <admin@youraddress.invalid>'  # what a new worker has in info/admin
_ADDRESS = re.compile(r'<[^>]*>|@\S*')


def owner_of(worker: Any) -> str | None:
    """As the worker's file ``info/admin`` says, without an address."""
    said = worker.info.getProperty('admin')
    if not isinstance(said, str) or clean(said, 200) == NOBODY:
        return None
    return clean(_ADDRESS.sub(' ', clean(said, 200)), NAME) or None


def about(worker: Any, fleet: Fleet) -> About:
    return About(
        standing=fleet.standing(worker),
        owner=owner_of(worker),
        pause_reason=compat.pause_reason(worker),
    )
