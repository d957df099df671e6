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
    spaced = ' '.join(text.split())
    kept = (
        char
        for char in spaced
        if unicodedata.category(char) not in _TAKEN_OUT and char not in _BIDI_CONTROLS
    )
    return ''.join(kept)[:limit].strip()
