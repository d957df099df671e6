# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a build should run: filter, score, pick. Pure: no clock, no reactor, no Buildbot."""
