# SPDX-License-Identifier: GPL-2.0-or-later
"""Locks across workers that share something, and per branch, over one fair semaphore."""
