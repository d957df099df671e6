# SPDX-License-Identifier: GPL-2.0-or-later
"""Facts: what was seen while the demo ran, for the check of its promises.

Moments are counts of the decisions that the master's log had by then: two clocks that agree on
whole seconds only would leave gaps.
"""

from __future__ import annotations

import attrs

from demo.decision import Decision
from demo.scene import Scene

# What owners say at the end, so that a request waits for all of them.
REFUSALS = {'anna': 'board meeting', 'ben': 'gone home', 'dan': 'sold the house'}


@attrs.frozen
class Since:
    """From `decisions` on, the master knows what the owner of `worker` has said."""

    worker: str
    decisions: int


@attrs.frozen(kw_only=True)
class Drained:
    """From the return of ``drain --wait`` until just before ``resume``."""

    worker: str
    decisions: int
    decisions_at_resume: int
    running: tuple[int, ...]  # requests that ran there when it had returned
    built: frozenset[int]  # requests that had been built there by then
    built_at_resume: frozenset[int]


@attrs.frozen(kw_only=True)
class Facts:
    requests: tuple[int, ...]
    quiet: int  # the request that came when every willing worker was idle
    decisions: tuple[Decision, ...]
    scene: Scene  # at the end
    reluctant: Since
    holiday: Since
    drained: Drained
    protocols: dict[str, str]
    page: bool  # the web UI was served, with the Balancer's page in it
    why: str  # what the command line said of a request for which nobody was willing
