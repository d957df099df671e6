# SPDX-License-Identifier: GPL-2.0-or-later
"""What ends the demo early; each message is a sentence for the person at the terminal."""

from __future__ import annotations


class DemoError(Exception):
    """It cannot go on."""


class StoppedError(Exception):
    """Somebody wants it to stop: Ctrl-C, a signal, or a terminal that went away."""
