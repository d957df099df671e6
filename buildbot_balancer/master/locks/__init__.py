# SPDX-License-Identifier: GPL-2.0-or-later
"""Locks on this master: reservations, who holds and waits, and parents and children."""
