# SPDX-License-Identifier: GPL-2.0-or-later
"""UnknownError: a probe's answer where it cannot tell."""

from __future__ import annotations

from buildbot_balancer.errors import BalancerError


class UnknownError(BalancerError):
    """It cannot be told on this machine; the message names what was tried."""
