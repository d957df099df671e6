# SPDX-License-Identifier: GPL-2.0-or-later
"""Medians: of several runs of one plan, figure by figure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any


def medians(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A figure that a run does not have (None) is left out of its median."""
    return {key: _median([one[key] for one in found]) for key in found[0]}


def _median(values: list[Any]) -> Any:
    if isinstance(values[0], dict):
        return medians(values)
    known = [one for one in values if one is not None]
    return median(known) if known else None
