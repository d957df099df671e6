# SPDX-License-Identifier: GPL-2.0-or-later
"""Loads: what our own builds make of a machine's load, now and soon.

Workers that report the same host are on one machine, and their builds share its load.
"""

from __future__ import annotations

from typing import Callable

from buildbot_balancer.availability.standing import Standing
from buildbot_balancer.master.workers.builds import Builds


class Loads:
    """`standing(name)` is asked only for the workers on the machine in question."""

    def __init__(self, builds: Builds, standing: Callable[[str], Standing | None]) -> None:
        self._builds = builds
        self._standing = standing
        self._hosts: dict[str, set[str]] = {}
        self._host_of: dict[str, str] = {}

    def place(self, name: str, host: str | None) -> None:
        """A worker is on this machine now; None: nobody knows."""
        before = self._host_of.pop(name, None)
        if before is not None:
            self._hosts[before].discard(name)
            if not self._hosts[before]:
                del self._hosts[before]
        if host is not None:
            self._host_of[name] = host
            self._hosts.setdefault(host, set()).add(name)

    def machine(self, name: str) -> set[str]:
        """All workers on the machine of this one."""
        host = self._host_of.get(name)
        return {name} if host is None else self._hosts[host]

    def on_host(self, host: str | None) -> set[str]:
        return self._hosts.get(host, set()) if host is not None else set()

    def expected(self, standing: Standing, now: float) -> float | None:
        """Per CPU, with what builds that just started there will add; None: unknown."""
        if standing.load is None or standing.reported_at is None:
            return None
        sampled_at = standing.reported_at
        coming = sum(
            self._builds.coming_load(name, sampled_at=sampled_at, now=now)
            for name in self.machine(standing.name)
        )
        return standing.load + coming / (standing.cpus or 1)

    def foreign(self, standing: Standing) -> float | None:
        """Per CPU, without what our builds on that machine make; None: unknown."""
        if standing.load is None:
            return None
        found = [self._standing(name) for name in self.machine(standing.name)]
        return max(standing.load - sum(_own(one) for one in found if one is not None), 0.0)


def _own(standing: Standing) -> float:
    # a worker speaks for others on its machine here: not for more than it has seen itself
    if standing.own is None or standing.load is None:
        return 0.0
    return min(standing.own, standing.load)
