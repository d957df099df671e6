# SPDX-License-Identifier: GPL-2.0-or-later
"""Steps that run other steps."""
