# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults: what may go wrong between the command line and a master, each with its exit code."""

from __future__ import annotations

from typing import ClassVar

from buildbot_balancer.errors import BalancerError


class ServerError(BalancerError):
    """The master cannot be reached, or does not answer as a master with a Balancer does."""

    exit_code: ClassVar[int] = 2


class UnknownNameError(BalancerError):
    """The master knows no such builder, request, worker or lock."""

    exit_code: ClassVar[int] = 3


class NotAllowedError(BalancerError):
    """The master wants a login, or does not allow it to this user."""

    exit_code: ClassVar[int] = 4
