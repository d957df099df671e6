# SPDX-License-Identifier: GPL-2.0-or-later
"""From a place that was found to the end of the build."""
