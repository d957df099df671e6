# SPDX-License-Identifier: GPL-2.0-or-later
"""Text that strangers typed, made fit for a log, a terminal or a page."""

import unicodedata

# Cc: terminal escapes and line ends. Cs: halves of characters that no encoder takes.
# Zl, Zp: line ends of other kinds.
_TAKEN_OUT = frozenset({'Cc', 'Cs', 'Zl', 'Zp'})
# Turn the reading direction of what follows: https://www.unicode.org/reports/tr9/
_BIDI_CONTROLS = frozenset(
    '\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069'
)


def clean(text: str, limit: int) -> str:
    """`text` on one line, without control characters, at most `limit` characters."""
    kept = (
        ' ' if char.isspace() else char
        for char in text
        if char.isspace() or not _is_taken_out(char)
    )
    return ' '.join(''.join(kept).split())[:limit].strip()


def _is_taken_out(char: str) -> bool:
    return unicodedata.category(char) in _TAKEN_OUT or char in _BIDI_CONTROLS


def describe(error: BaseException, limit: int = 150) -> str:
    """An exception as a part of a sentence; also one that cannot be printed."""
    try:
        said = str(error)
    except Exception:
        said = ''
    name = type(error).__name__
    return clean(f'{name}: {said}' if said else name, limit)
