# SPDX-License-Identifier: GPL-2.0-or-later
"""Lost: what a master is told whose lease is over."""

from buildbot_balancer.errors import BalancerError


class LostLeaseError(BalancerError):
    """The master was not heard for so long that others may have what it held."""
