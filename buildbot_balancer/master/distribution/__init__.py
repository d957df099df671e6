# SPDX-License-Identifier: GPL-2.0-or-later
"""Which request is looked at next, and whom an event wakes."""
