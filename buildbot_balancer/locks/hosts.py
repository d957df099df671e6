# SPDX-License-Identifier: GPL-2.0-or-later
"""What a worker's properties or its reporter say of the group that it is in."""

from __future__ import annotations

from typing import Any

from buildbot_balancer.master import compat

REPORTED_HOST = 'reported_host'
BALANCER = 'balancer'  # the name of the service


def group_said(master: Any, workername: str, of: str) -> str | None:
    """None where nothing is said."""
    if master is None:
        return None
    if of == REPORTED_HOST:
        return _host(master, workername)
    worker = compat.worker_named(master, workername)
    value = None if worker is None else worker.properties.getProperty(of)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and value else None


def _host(master: Any, workername: str) -> str | None:
    balancer = compat.service_named(master, BALANCER)
    if balancer is None:
        return None
    cheap = getattr(balancer, 'host_of', None)
    if cheap is not None:
        host: str | None = cheap(workername)
        return host
    standing = balancer.standing(workername)
    return None if standing is None else standing.host
