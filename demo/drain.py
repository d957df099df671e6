# SPDX-License-Identifier: GPL-2.0-or-later
"""Drain: ``buildbot-balancer drain --wait`` at work, while everything else goes on."""

from __future__ import annotations

import subprocess
from pathlib import Path

from demo.processes import BIN
from demo.processes import kill_group


class Drain:
    """`code` is None until it has returned; `said` is what it printed by then."""

    def __init__(self, basedir: Path, *options: str) -> None:
        self._output = basedir.parent / f'{basedir.name}.drain.txt'
        command = [BIN / 'buildbot-balancer', 'drain', basedir, '--wait', *options]
        with self._output.open('wb') as output:
            self._process = subprocess.Popen(
                [*map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def code(self) -> int | None:
        return self._process.poll()

    @property
    def said(self) -> list[str]:
        return self._output.read_text(errors='replace').splitlines()

    def stop(self) -> None:
        kill_group(self._process)
