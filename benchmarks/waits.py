# SPDX-License-Identifier: GPL-2.0-or-later
"""Waits: what many waiting times come to."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float | None:
    """The nearest rank: a value that was seen; None of no values."""
    if not values:
        return None
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


def summary(values: Sequence[float]) -> dict[str, float | int | None]:
    return {
        'count': len(values),
        'p50': percentile(values, 0.50),
        'p99': percentile(values, 0.99),
        'most': percentile(values, 1.0),
    }
