# SPDX-License-Identifier: GPL-2.0-or-later
"""What several masters share: locks, and who of them is alive."""
