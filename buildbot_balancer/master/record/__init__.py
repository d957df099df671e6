# SPDX-License-Identifier: GPL-2.0-or-later
"""What was said and what has happened, kept over a restart."""
