# SPDX-License-Identifier: GPL-2.0-or-later
"""``make demo``: a real master, four real workers and their owners, live in a terminal."""
