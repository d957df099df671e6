# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs on a worker: one service that tells the master how willing and how busy it is."""

from buildbot_balancer.reporter.attach import attach

__all__ = ['attach']
