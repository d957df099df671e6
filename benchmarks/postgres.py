# SPDX-License-Identifier: GPL-2.0-or-later
"""Postgres: a server of our own that writes to the disk as one does whose data has to survive."""

from __future__ import annotations

from support import postgres  # type: ignore[import-not-found]  # the tests'

from benchmarks.errors import BenchmarkError


def fresh_database() -> str:
    """The URL of a new, empty database; the server goes with this process."""
    why = postgres.problem()
    if why:
        raise BenchmarkError(f'shared locks are measured on PostgreSQL: {why}')
    return str(postgres.fresh_database('fsync=on'))
