# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs Buildbot's builds where they should run. The rooms are described in docs/design.rst."""

__version__ = '0.1.0'
