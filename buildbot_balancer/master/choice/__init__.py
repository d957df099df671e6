# SPDX-License-Identifier: GPL-2.0-or-later
"""Where one request starts, by the policy, or why it does not."""
