# SPDX-License-Identifier: GPL-2.0-or-later
"""Machine: what the figures were taken on; nothing that names it."""

from __future__ import annotations

import os
import platform
import sqlite3
from importlib.metadata import version
from pathlib import Path


def describe() -> dict[str, str | int | float]:
    return {
        'cpu': _cpu(),
        'cpus': os.cpu_count() or 0,
        'system': _system(),
        'python': platform.python_version(),
        'buildbot': version('buildbot'),
        'twisted': version('twisted'),
        'sqlalchemy': version('sqlalchemy'),
        'sqlite': sqlite3.sqlite_version,
        'load': os.getloadavg()[0],  # before the first measurement
    }


def _cpu() -> str:
    info = Path('/proc/cpuinfo')
    if info.exists():
        for line in info.read_text(encoding='utf-8', errors='replace').splitlines():
            if line.startswith('model name'):
                return line.partition(':')[2].strip()
    return platform.processor() or platform.machine()


def _system() -> str:
    release = Path('/etc/os-release')
    if release.exists():
        for line in release.read_text(encoding='utf-8', errors='replace').splitlines():
            if line.startswith('PRETTY_NAME='):
                return f'{line.partition("=")[2].strip(chr(34))}, {platform.machine()}'
    return f'{platform.system()} {platform.machine()}'
