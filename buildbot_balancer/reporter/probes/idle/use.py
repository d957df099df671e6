# SPDX-License-Identifier: GPL-2.0-or-later
"""Use: somebody has used the machine, as one source sees it."""

from __future__ import annotations

from typing import Protocol

import attrs

SCREEN = 'keyboard or mouse'


@attrs.frozen(kw_only=True)
class Use:
    """`guess`: the X server of `display` itself knows better."""

    seconds: float  # ago
    what: str = SCREEN
    display: str = ''
    guess: bool = False


class Source(Protocol):
    name: str
    sees_screens: bool  # its last look has shown all screens

    def look(self, now: float) -> list[Use]:
        """Raises UnknownError. `now`: epoch seconds."""
