# SPDX-License-Identifier: GPL-2.0-or-later
"""Places: on which line of a TOML text each key stands. The text is known to be good TOML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Union

import attrs

Path = tuple[Union[str, int], ...]

# What can stand in a value and hide a line end, a bracket or a "#". The order counts.
_PIECE = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r'|\#[^\n]*'
    r'|[\[\]{}\n]'
    r'|[^\[\]{}\n"\'\#]+',
    re.DOTALL,
)
_PART = re.compile(r'\s*("(?:[^"\\]|\\.)*"|\'[^\']*\'|[A-Za-z0-9_-]+)\s*')


@attrs.frozen
class Places:
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """Of the key, or of the nearest thing around it; 1 where there is none."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def find(text: str) -> Places:
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for number, statement in _statements(text.replace('\r\n', '\n')):
        if statement.startswith('['):
            table = _header(statement, counts)
            for length in range(1, len(table) + 1):
                lines.setdefault(table[:length], number)
        else:
            lines.setdefault((*table, *_keys(statement)), number)
    return Places(lines)


def _header(statement: str, counts: dict[Path, int]) -> Path:
    is_array = statement.startswith('[[')
    path: Path = ()
    keys = _keys(statement.lstrip('['))
    for index, part in enumerate(keys):
        path = (*path, part)
        is_last = index == len(keys) - 1
        if is_array and is_last:
            counts[path] = counts.get(path, 0) + 1
        if path in counts:
            path = (*path, counts[path] - 1)
    return path


def _keys(statement: str) -> tuple[str, ...]:
    """``a."b c".d`` at the start of a statement."""
    found: list[str] = []
    at = 0
    while True:
        match = _PART.match(statement, at)
        if match is None:
            return tuple(found)
        part = match.group(1)
        found.append(part[1:-1] if part[0] in '"\'' else part)
        at = match.end()
        if statement[at : at + 1] != '.':
            return tuple(found)
        at += 1


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """(line, text) of each header and each pair of a key and a value, comments left out."""
    number, begin, depth, parts = 1, 1, 0, ''
    for piece in _PIECE.findall(text):
        depth += (piece in '[{') - (piece in ']}')
        if piece == '\n' and depth <= 0:
            if parts.strip():
                yield begin, parts.strip()
            parts, depth = '', 0
        elif not piece.startswith('#'):
            if not parts.strip():
                begin = number
            parts += piece
        number += piece.count('\n')
    if parts.strip():
        yield begin, parts.strip()
