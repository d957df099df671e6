# SPDX-License-Identifier: GPL-2.0-or-later
"""What the reporter measures. A probe that fails or is missing reports unknown, never 0."""
