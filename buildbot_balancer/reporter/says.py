# SPDX-License-Identifier: GPL-2.0-or-later
"""Says: what one authority says of the machine, and the order in which they stand.

Of those that say a mood the lowest wins, and of equals the first; only the owner's word stands
above all.
"""

from __future__ import annotations

import attrs

from buildbot_balancer.availability.mood import Mood

OWNER = 'owner'
DRAIN = 'drain'
BATTERY = 'battery'
DISK = 'disk'
BUSY_WITH = 'busy-with'
COMMAND = 'command'
IDLE = 'idle'
WINDOW = 'window'
LOAD = 'load'
PRESSURE = 'pressure'
SETTINGS = 'settings'  # availability.toml itself, where it cannot be used
DEFAULT = 'default'

# what the machine says of itself, where its owner says nothing
AUTOMATIC = (SETTINGS, BATTERY, DISK, BUSY_WITH, COMMAND, IDLE, WINDOW, LOAD, PRESSURE)
ORDER = (OWNER, DRAIN, *AUTOMATIC, DEFAULT)


@attrs.frozen
class Says:
    """`mood` None: nothing that matters now; `words` are for the owner, and stay on the machine."""

    source: str
    mood: Mood | None
    words: str
    until: float | None = None  # epoch seconds; it says something else then
