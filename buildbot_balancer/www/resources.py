# SPDX-License-Identifier: GPL-2.0-or-later
"""Resources: all that the data API offers beside Buildbot's own, and how a master learns it."""

from __future__ import annotations

import sys
from typing import Any

from buildbot_balancer.www.builders import BalancerBuilder
from buildbot_balancer.www.history import BalancerEvent
from buildbot_balancer.www.locks import BalancerLock
from buildbot_balancer.www.requests import BalancerRequest
from buildbot_balancer.www.samples import BalancerSample
from buildbot_balancer.www.workers import BalancerWorker

ALL = (
    BalancerBuilder,
    BalancerEvent,
    BalancerLock,
    BalancerRequest,
    BalancerSample,
    BalancerWorker,
)


def register(master: Any) -> None:
    """Once in the life of a master, for Buildbot knows no way back; called again, it does nothing.

    Also on a master that is at work.
    """
    data = master.data
    if data.getResourceType(BalancerWorker.name) is not None:
        return
    data._scanModule(sys.modules[__name__])  # noqa: SLF001  there is no other way for a plugin
    data.allEndpoints.cache_clear()  # somebody may have read /application.spec before
