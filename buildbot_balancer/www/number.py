# SPDX-License-Identifier: GPL-2.0-or-later
"""Number: a field that is a JSON number, whole or not; Buildbot has whole ones only."""

from __future__ import annotations

import math

from buildbot.data import types


class Number(types.Instance):  # type: ignore[misc]  # Buildbot has no types
    name = 'number'
    types = (int, float)
    ramlType = 'number'
    graphQLType = 'Float'

    def valueFromString(self, arg: str | bytes) -> float:
        """Of a filter; raises ValueError."""
        value = float(arg)
        if not math.isfinite(value):
            raise ValueError(f'{value} is no number of JSON')
        return value
