# SPDX-License-Identifier: GPL-2.0-or-later
"""The configs that stand in the documentation.

``.. complete-config`` above a code block marks one that a master can be started with.
"""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILDBOT = Path(sys.executable).parent / 'buildbot'
PAGES = [ROOT / 'README.rst', *sorted((ROOT / 'docs').glob('*.rst'))]

_COMPLETE = re.compile(
    r'^\.\. complete-config\n\n\.\. code-block:: python\n\n((?:(?:   .*)?\n)+)', re.MULTILINE
)
_MARK = re.compile(r'^\.\. complete-config$', re.MULTILINE)


def complete_configs(page: Path) -> list[str]:
    """Raises ValueError for a mark that stands above no Python block."""
    text = page.read_text(encoding='utf-8')
    found = [textwrap.dedent(block) for block in _COMPLETE.findall(text)]
    if len(found) != len(_MARK.findall(text)):
        raise ValueError(f'{page.name}: a mark "complete-config" stands above no Python block')
    return found


def checkconfig(config: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BUILDBOT), 'checkconfig', str(config)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        cwd=config.parent,
    )
