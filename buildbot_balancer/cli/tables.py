# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables: rows of cells on a terminal, wide or narrow, or in a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import IO

import attrs
import click
from rich.console import Console
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

PROSE = 18  # columns that a cell with prose needs
GAP = 2
ENDLESS = 100_000  # in a pipe a row is one line, however long


@attrs.frozen
class Screen:
    """Where things are shown."""

    console: Console

    @classmethod
    def of(cls, out: IO[str] | None = None, width: int | None = None) -> Screen:
        """Standard output; its own width, and none where it is no terminal."""
        out = out or sys.stdout
        is_terminal = out.isatty()
        colours = is_terminal and not os.environ.get('NO_COLOR')
        console = Console(
            file=out,
            width=width if is_terminal else ENDLESS,
            force_terminal=is_terminal,
            color_system='auto' if colours else None,
            markup=False,
            emoji=False,
            highlight=False,
            soft_wrap=not is_terminal,
        )
        return cls(console)

    def say(self, *parts: str | Text) -> None:
        """One paragraph."""
        self._show(Text.assemble(*parts))

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[Text]], prose: int = 1) -> None:
        """The last `prose` columns are wrapped where they are too wide, the others never."""
        if self._narrowest(heads, rows, prose) > self.console.width:
            self._records(heads, rows)
            return
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style='bold')
        for number, head in enumerate(heads):
            if number < len(heads) - prose:
                table.add_column(head, no_wrap=True)
            else:
                table.add_column(head, overflow='fold')
        for row in rows:
            table.add_row(*row)
        self._show(table)

    @staticmethod
    def _narrowest(heads: Sequence[str], rows: Sequence[Sequence[Text]], prose: int) -> int:
        widths = [
            max(len(head), *(row[number].cell_len for row in rows), 0)
            for number, head in enumerate(heads)
        ]
        wrapped = sum(min(width, PROSE) for width in widths[-prose:])
        return sum(widths[:-prose]) + wrapped + GAP * (len(heads) - 1)

    def _records(self, heads: Sequence[str], rows: Sequence[Sequence[Text]]) -> None:
        """For a narrow terminal: a paragraph a row, without the cells that are empty."""
        for row in rows:
            self._show(Text.assemble((row[0].plain, 'bold')))
            for head, cell in zip(heads[1:], row[1:]):
                if cell.plain:
                    self._show(Text.assemble(f'  {head}: ', cell))

    def _show(self, what: RenderableType) -> None:
        with self.console.capture() as captured:
            self.console.print(what, overflow='fold')
        lines = [line.rstrip() for line in captured.get().splitlines()]
        # click's echo, so that a closed pipe ends the command quietly
        click.echo('\n'.join(lines), file=self.console.file, color=True)
