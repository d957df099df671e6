# SPDX-License-Identifier: GPL-2.0-or-later
"""What was written to the log while a test ran."""

from __future__ import annotations

from typing import Any

from twisted.python import log


class LogLines:
    """Listens from now to the end of the test `case`."""

    def __init__(self, case: Any) -> None:
        self._lines: list[str] = []
        log.addObserver(self._seen)
        case.addCleanup(log.removeObserver, self._seen)

    def _seen(self, event: dict[str, Any]) -> None:
        text = log.textFromEventDict(event)
        if text:
            self._lines.append(text)

    def all(self) -> list[str]:
        return list(self._lines)

    def ours(self) -> list[str]:
        return [line for line in self._lines if line.startswith('buildbot-balancer: ')]
