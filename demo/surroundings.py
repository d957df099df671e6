# SPDX-License-Identifier: GPL-2.0-or-later
"""Surroundings: what the demo finds on the machine, and what of it must not reach the builds."""

from __future__ import annotations

import os
import shutil

from demo.errors import DemoError
from demo.processes import BIN

PROGRAMS = ('git', 'make')
OF_THIS_ENVIRONMENT = ('buildbot', 'buildbot-worker', 'buildbot-balancer')
# "make demo" hands its own options down, and a git hook its repository
OF_MAKE = ('MAKEFLAGS', 'MAKELEVEL', 'MAKEOVERRIDES', 'MFLAGS')


def check() -> None:
    """Raises DemoError, which names all that is missing."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        raise DemoError(f'The builds need {" and ".join(missing)}, not found on the PATH.')
    absent = [name for name in OF_THIS_ENVIRONMENT if shutil.which(BIN / name) is None]
    if absent:
        raise DemoError(
            f'{" and ".join(absent)} not found beside {BIN.name}/python: '
            '"make demo" installs all that is needed.'
        )


def clean() -> None:
    """Before anything is started: no settings of this person's git or of a make around us."""
    for name in [name for name in os.environ if name.startswith('GIT_')]:
        del os.environ[name]
    for name in OF_MAKE:
        os.environ.pop(name, None)
    os.environ.update(GIT_CONFIG_GLOBAL=os.devnull, GIT_CONFIG_NOSYSTEM='1')
    os.environ['GIT_TERMINAL_PROMPT'] = '0'
