# SPDX-License-Identifier: GPL-2.0-or-later
"""attach: the one line in ``buildbot.tac``."""

from __future__ import annotations

from typing import Any

from buildbot_balancer.reporter.reporter import Reporter


def attach(worker_service: Any, interval: float = 10.0, reactor: Any = None) -> Reporter:
    """Gives a worker a reporter; one that has one keeps it.

    `worker_service` is the ``Worker`` of ``buildbot.tac``; `interval` are the seconds between two
    heartbeats (a change is told at once); `reactor` is Twisted's unless a test says otherwise.
    It must come before the worker is started, so that the master learns of the reporter while
    the worker attaches.
    """
    for service in worker_service:
        if isinstance(service, Reporter):
            return service
    reporter = Reporter(worker_service, interval=interval, reactor=reactor)
    reporter.setServiceParent(worker_service)
    return reporter
