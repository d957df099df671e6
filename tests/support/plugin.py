# SPDX-License-Identifier: GPL-2.0-or-later
"""The page in a master.cfg."""

from __future__ import annotations

PLUGIN = "c['www']['plugins'] = {'balancer': {}}\n"
