# SPDX-License-Identifier: GPL-2.0-or-later
"""The page in Buildbot's own UI: files that a browser asks for, and the plugin that serves them."""
