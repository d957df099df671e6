# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory: of a master that has started, with its pending requests and no worker."""

from __future__ import annotations

from typing import Any

from benchmarks import meter
from benchmarks.site import Site


async def measure(site: Site) -> dict[str, Any]:
    await site.start()
    return {'memory': {'started': meter.memory(), 'most': meter.most_memory()}}
