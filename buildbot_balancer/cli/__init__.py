# SPDX-License-Identifier: GPL-2.0-or-later
"""The owner's command line: one module a command."""
