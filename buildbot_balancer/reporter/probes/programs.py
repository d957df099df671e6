# SPDX-License-Identifier: GPL-2.0-or-later
"""ProgramsProbe: which of some programs run, those of builds left out. Needs psutil."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable
from typing import Any

from zope.interface import implementer

from buildbot_balancer.interfaces import IProbe
from buildbot_balancer.reporter.probes.unknown import UnknownError


@implementer(IProbe)
class ProgramsProbe:
    """`names` may be globs; capitals and ``.exe`` make no difference."""

    name = 'busy-with'

    def __init__(self, names: Iterable[str]) -> None:
        patterns = (fnmatch.translate(_plain(name)) for name in names)
        self._wanted = re.compile('|'.join(f'(?:{pattern})' for pattern in patterns))

    def sample(self, now: float) -> tuple[str, ...]:
        """Their names, each once."""
        try:
            import psutil
        except ImportError as e:
            raise UnknownError('psutil is not installed') from e
        found = set()
        for process in psutil.process_iter():
            try:
                name = process.name()
                if self._wanted.match(_plain(name)) and not _is_ours(process):
                    found.add(name)
            except (psutil.Error, OSError):  # gone meanwhile, or another user's
                continue
        return tuple(sorted(found))


def _plain(name: str) -> str:
    return name.strip().lower().removesuffix('.exe')


def _is_ours(process: Any) -> bool:
    """A build of this worker has started it, or it is the worker itself."""
    own = os.getpid()
    return process.pid == own or any(one.pid == own for one in process.parents())
