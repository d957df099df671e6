# SPDX-License-Identifier: GPL-2.0-or-later
"""The requests that wait: in memory, as the database says, and their claims."""
