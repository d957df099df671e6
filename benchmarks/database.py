# SPDX-License-Identifier: GPL-2.0-or-later
"""Database: made once for each size, in a process of its own.

The bulk inserts would otherwise leave memory behind in the master that is measured.
"""

from __future__ import annotations

from typing import Any

from benchmarks import requests
from benchmarks.site import Site


async def prepare(site: Site) -> dict[str, Any]:
    await site.open_database()
    database = site.master.db
    await database.model.upgrade()
    await requests.insert(site.master, site.plan.size, int(site.reactor.seconds()))
    await database.pool.stop()
    return {}
