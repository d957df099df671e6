# SPDX-License-Identifier: GPL-2.0-or-later
"""PressureProbe: the share of time in which something had to wait (Linux PSI).

https://docs.kernel.org/accounting/psi.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Mapping
from pathlib import Path

from zope.interface import implementer

from buildbot_balancer.interfaces import IProbe
from buildbot_balancer.reporter.probes.unknown import UnknownError

FOLDER = Path('/proc/pressure')
_SOME = re.compile(r'^some avg10=(\d+(?:\.\d+)?) ', re.MULTILINE)


@implementer(IProbe)
class PressureProbe:
    name = 'pressure'

    def __init__(self, resources: Iterable[str], folder: Path = FOLDER) -> None:
        self._resources = tuple(resources)
        self._folder = folder

    def sample(self, now: float) -> Mapping[str, float]:
        """Percent of the last ten seconds, by resource."""
        return {name: self._some(self._folder / name) for name in self._resources}

    def _some(self, path: Path) -> float:
        try:
            text = path.read_text(encoding='ascii')
        except FileNotFoundError as e:
            raise UnknownError(f'this system has no {path}') from e
        except (OSError, ValueError) as e:  # a kernel that has it, and was started with psi=0
            raise UnknownError(f'{path} cannot be read: {e}') from e
        match = _SOME.search(text)
        if match is None:
            raise UnknownError(f'{path} is not understood')
        return float(match.group(1))
