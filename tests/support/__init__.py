# SPDX-License-Identifier: GPL-2.0-or-later
"""What several tests need: real masters and real workers."""
