# SPDX-License-Identifier: GPL-2.0-or-later
"""CpusProbe, HostProbe and FactsProbe: what machine this is."""

from __future__ import annotations

import hashlib
import hmac
import os
import platform
import uuid
from pathlib import Path

from zope.interface import implementer

from buildbot_balancer.availability.wire import Fact
from buildbot_balancer.interfaces import IProbe

# https://www.freedesktop.org/software/systemd/man/latest/machine-id.html asks not to publish the
# id itself, and names a keyed hash as the way.
_KEY = b'buildbot-balancer'
# The first one is of the running kernel, which is what a load average is about: containers share
# it, and copies of one virtual machine do not, whatever ids they were given.
_MACHINE_IDS = (
    '/proc/sys/kernel/random/boot_id',
    '/etc/machine-id',
    '/var/lib/dbus/machine-id',
)


@implementer(IProbe)
class CpusProbe:
    name = 'cpus'

    def sample(self, now: float) -> int | None:
        return os.cpu_count()


@implementer(IProbe)
class HostProbe:
    """The same text for all workers on one machine, from which nothing else can be learnt."""

    name = 'host'

    def __init__(self) -> None:
        self._host: str | None = None

    def sample(self, now: float) -> str:
        if self._host is None:
            digest = hmac.new(_KEY, _machine().encode(), hashlib.sha256).hexdigest()
            self._host = digest[:16]
        return self._host


def _machine() -> str:
    for name in _MACHINE_IDS:
        try:
            text = Path(name).read_text(encoding='ascii').strip()
        except (OSError, ValueError):
            continue
        if text and text != 'uninitialized':
            return text
    node = uuid.getnode()
    if node >> 40 & 1:  # the multicast bit: a random number, new in each process
        return platform.node()
    return f'{node:012x}'


@implementer(IProbe)
class FactsProbe:
    """What a request can require of a machine without its admin listing it."""

    name = 'facts'

    def sample(self, now: float) -> dict[str, Fact]:
        facts: dict[str, Fact] = {
            'os': platform.system().lower(),
            'arch': platform.machine().lower(),
        }
        cpus = os.cpu_count()
        if cpus is not None:
            facts['cpus'] = cpus
        ram = _ram_gb()
        if ram is not None:
            facts['ram_gb'] = ram
        return facts


def _ram_gb() -> float | None:
    try:
        import psutil
    except ImportError:
        return None
    return round(psutil.virtual_memory().total / 2**30, 1)
