# SPDX-License-Identifier: GPL-2.0-or-later
"""From verdicts and facts to sentences that a person can act on. Pure."""
