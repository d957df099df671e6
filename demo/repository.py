# SPDX-License-Identifier: GPL-2.0-or-later
"""Repository: the small project that the builds check out and make."""

from __future__ import annotations

import subprocess
from pathlib import Path

from demo.errors import DemoError

PARTS = ('lexer', 'parser')
BRANCH = 'main'
MAKEFILE = """\
# each part takes about a second: some work, some waiting
.SUFFIXES: .src .obj
PROGRAM = {objects}

all: $(PROGRAM)
\t@cat $(PROGRAM) > program
\t@echo linked program

.src.obj:
\t@echo compiling $<
\t@i=0; while [ $$i -lt 50000 ]; do i=$$((i + 1)); done
\t@sleep 1
\t@cksum < $< > $@
"""
COMMIT = ('-c', 'user.name=demo', '-c', 'user.email=demo@example.org', 'commit', '-q')


def make(folder: Path) -> None:
    """Raises DemoError."""
    folder.mkdir()
    objects = ' '.join(f'{part}.obj' for part in PARTS)
    (folder / 'Makefile').write_text(MAKEFILE.format(objects=objects))
    for part in PARTS:
        (folder / f'{part}.src').write_text(f'the {part}\n')
    _git(folder, 'init', '-q')
    _git(folder, 'symbolic-ref', 'HEAD', f'refs/heads/{BRANCH}')
    _git(folder, 'add', '.')
    _git(folder, *COMMIT, '-m', 'A program in two parts')


def _git(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        ['git', *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    if done.returncode:
        said = (done.stderr + done.stdout).strip()[-300:]
        raise DemoError(f'git could not make the repository of the demo: {said}')
