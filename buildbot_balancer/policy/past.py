# SPDX-License-Identifier: GPL-2.0-or-later
"""PastBuild: what a scorer may learn from a build that has ended."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class PastBuild:
    """`seconds`: how long it ran, without the wait for locks. `at`: its end, epoch seconds."""

    builder: str
    worker: str
    seconds: float
    at: float
    succeeded: bool  # perhaps with warnings: how long it took says something
    ran: bool  # to its end, also to a failure: the checkout is as it left it
    sources: int = 1  # how many sourcestamps it had
    branch: str | None = None  # of the only one
