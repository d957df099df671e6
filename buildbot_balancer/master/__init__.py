# SPDX-License-Identifier: GPL-2.0-or-later
"""Buildbot's hooks: the service, what it hears of workers, and the chooser that uses it."""
