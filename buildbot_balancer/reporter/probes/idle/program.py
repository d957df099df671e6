# SPDX-License-Identifier: GPL-2.0-or-later
"""Program: asks one of the system's own programs, for a bounded time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from buildbot_balancer.availability.text import clean
from buildbot_balancer.reporter.probes.unknown import UnknownError

TIMEOUT = 5.0  # seconds


def ask(command: Sequence[str]) -> str:
    """What it prints. Raises UnknownError."""
    try:
        done = subprocess.run(  # noqa: S603  a program of the system's, with arguments of ours
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=TIMEOUT,
            env={**os.environ, 'LC_ALL': 'C'},
        )
    except FileNotFoundError as e:
        raise UnknownError(f'there is no {command[0]}') from e
    except subprocess.TimeoutExpired as e:
        raise UnknownError(f'{command[0]} does not answer') from e
    except OSError as e:
        raise UnknownError(f'{command[0]} cannot be started: {e.strerror or e}') from e
    if done.returncode != 0:
        said = clean(done.stderr.decode(errors='replace').partition('\n')[0], 80)
        raise UnknownError(said or f'{command[0]} ended with exit code {done.returncode}')
    return done.stdout.decode(errors='replace')
