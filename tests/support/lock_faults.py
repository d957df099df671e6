# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes wrong in a load, and when: all of it is drawn before the start from one seed."""

from __future__ import annotations

from random import Random

import attrs


class InjectedError(Exception):
    """A fault that the test put there."""


@attrs.frozen
class Faults:
    """Each is a set of ordinals: the third claim, the fifth build that starts, ..."""

    claims_raise: frozenset[int] = frozenset()
    claims_refused: frozenset[int] = frozenset()  # as if another master had been first
    ifs_raise: frozenset[int] = frozenset()
    ifs_false: frozenset[int] = frozenset()  # the build ends at once, and never claims
    cancelled_in_start: frozenset[int] = frozenset()  # the request, before its build is known
    stopped: frozenset[int] = frozenset()  # the build, at any point of its start
    cancelled_pending: frozenset[int] = frozenset()
    disconnected: frozenset[int] = frozenset()  # one of the workers with a real connection

    @classmethod
    def drawn(cls, random: Random, builds: int) -> Faults:
        """None in the last third: wakes that come later would hide one that was lost, but a claim
        that raised needs a later one.
        """

        def some(share: float) -> frozenset[int]:
            count = max(2, round(share * builds))
            return frozenset(random.sample(range(5, max(20, builds * 2 // 3)), count))

        return cls(
            claims_raise=some(0.01),
            claims_refused=some(0.015),
            ifs_raise=some(0.008),
            ifs_false=some(0.015),
            cancelled_in_start=some(0.01),
            stopped=some(0.03),
            cancelled_pending=some(0.02),
            disconnected=some(0.006),
        )
