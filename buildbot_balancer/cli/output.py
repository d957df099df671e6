# SPDX-License-Identifier: GPL-2.0-or-later
"""Output: what programs read."""

from __future__ import annotations

import json
from typing import Any

import click


def as_json(value: Any) -> None:
    # ASCII, so that no control character of a name reaches a terminal as itself
    click.echo(json.dumps(value, indent=1, ensure_ascii=True))
