# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors: a message speaks to the person who runs the benchmark."""

from __future__ import annotations


class BenchmarkError(Exception):
    """A process did not measure what it was asked to."""
