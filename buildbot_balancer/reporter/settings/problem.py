# SPDX-License-Identifier: GPL-2.0-or-later
"""Problem: one error in ``availability.toml``, with its line."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from buildbot_balancer.errors import BalancerError


@attrs.frozen(order=True)
class Problem:
    line: int
    sentence: str

    def __str__(self) -> str:
        return f'line {self.line}: {self.sentence}'


class SettingsError(BalancerError):
    """``availability.toml`` has errors; nothing of it was used. `problems` is never empty."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        more = len(self.problems) - 1
        rest = f' (and {more} more: see "buildbot-balancer check")' if more else ''
        super().__init__(f'{self.problems[0]}{rest}')
