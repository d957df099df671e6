# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m demo.cluster``: three masters on one PostgreSQL, with Crossbar.io between them."""
