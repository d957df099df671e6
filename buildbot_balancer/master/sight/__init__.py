# SPDX-License-Identifier: GPL-2.0-or-later
"""What people and machines are shown of this moment."""
