# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the last use of a keyboard, a mouse or a terminal can be seen, a source each.

A source that can tell nothing raises UnknownError; one that has looked, and found that there is
nobody, says so with no use at all.
"""
