# SPDX-License-Identifier: GPL-2.0-or-later
"""The wire form: one JSON object, each field checked for type and range before it is used.

Keys that this version does not know are ignored, so that a newer sender can add some.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any
from typing import Callable
from typing import Union

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.text import clean
from buildbot_balancer.errors import WireError
from buildbot_balancer.errors import WordError

VERSION = 1
LIMIT = 16 * 1024  # bytes of UTF-8
FACTS_LIMIT = 64  # facts in one report

Fact = Union[str, int, float]
Check = Callable[[str, Any], Any]


def encode(values: Mapping[str, Any]) -> str:
    """A message of this version; raises WireError where nobody would take it."""
    try:
        text = json.dumps({'v': VERSION, **values}, separators=(',', ':'), allow_nan=False)
    except (TypeError, ValueError) as e:
        raise WireError(f'a message cannot be written as JSON: {clean(str(e), 100)}') from e
    if len(text) > LIMIT:
        raise WireError(f'a message of {len(text)} bytes is over the limit of {LIMIT}')
    return text


def decode(text: Any, checks: Mapping[str, Check]) -> dict[str, Any]:
    """The checked fields of a message; raises WireError, which names the field at fault.

    A field that is missing is checked as None.
    """
    if not isinstance(text, str):
        raise WireError(f'a message must be text, not {type(text).__name__}')
    # a character has at least one byte: the cheap test comes first
    if len(text) > LIMIT or len(text.encode(errors='replace')) > LIMIT:
        raise WireError(f'a message of {len(text)} characters is over the limit of {LIMIT} bytes')
    values = _parse(text)
    version = values.get('v')
    if type(version) is not int or not 1 <= version <= VERSION:
        raise WireError(f'version {_show(version)} is not one that is known here (1 to {VERSION})')
    return {name: check(name, values.get(name)) for name, check in checks.items()}


def _parse(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as e:
        raise WireError(f'not JSON: {clean(str(e), 100)}') from e
    if not isinstance(values, dict):
        raise WireError(f'a message must be a JSON object, not {type(values).__name__}')
    return values


def _no_constant(name: str) -> float:
    raise ValueError(f'{name} is no number')


def _show(value: Any) -> str:
    return clean(repr(value)[:80], 60)


def optional(check: Check) -> Check:
    return lambda name, value: None if value is None else check(name, value)


def number(low: float, high: float) -> Check:
    """A finite int or float within [low, high]."""

    def check(name: str, value: Any) -> float:
        if type(value) not in {int, float} or not math.isfinite(_small(name, value)):
            raise WireError(f'"{name}" must be a number, not {_show(value)}')
        if not low <= value <= high:
            raise WireError(f'"{name}" must be from {low:g} to {high:g}, not {_show(value)}')
        return float(value)

    return check


def integer(low: int, high: int) -> Check:
    def check(name: str, value: Any) -> int:
        if type(value) is not int:
            raise WireError(f'"{name}" must be a whole number, not {_show(value)}')
        if not low <= value <= high:
            raise WireError(
                f'"{name}" must be from {low} to {high}, not {_show(_small(name, value))}'
            )
        return int(value)

    return check


def _small(name: str, value: Any) -> Any:
    # a whole number of thousands of digits overflows a float and is not even printable
    if type(value) is int and value.bit_length() > 64:
        raise WireError(f'"{name}" is a number of over 64 bits')
    return value


def boolean(name: str, value: Any) -> bool:
    if type(value) is not bool:
        raise WireError(f'"{name}" must be true or false, not {_show(value)}')
    return value


def text(limit: int) -> Check:
    """A string, cleaned of control characters; one that is longer than `limit` is refused."""

    def check(name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise WireError(f'"{name}" must be text, not {_show(value)}')
        if len(value) > limit:
            raise WireError(f'"{name}" has {len(value)} characters, over the limit of {limit}')
        return clean(value, limit)

    return check


def mood(name: str, value: Any) -> Mood:
    if not isinstance(value, str):
        raise WireError(f'"{name}" must be a mood, not {_show(value)}')
    try:
        return Mood.parse(value)
    except WordError as e:
        raise WireError(f'"{name}": {clean(str(e), 200)}') from e


def facts(name: str, value: Any | None) -> Mapping[str, Fact]:
    """A flat object of names to text or numbers: what a machine has."""
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > FACTS_LIMIT:
        raise WireError(f'"{name}" must be an object of at most {FACTS_LIMIT} facts')
    short = text(200)
    amount = number(-1e15, 1e15)
    return {
        clean(key, 64): short(f'{name}.{clean(key, 20)}', fact)
        if isinstance(fact, str)
        else amount(f'{name}.{clean(key, 20)}', fact)
        for key, fact in value.items()
    }
