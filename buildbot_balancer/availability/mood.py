# SPDX-License-Identifier: GPL-2.0-or-later
"""Mood: what a machine's owner is willing to do."""

import difflib
import enum

from buildbot_balancer.availability.text import clean
from buildbot_balancer.errors import WordError

AUTO = 'auto'  # what an owner says to leave the answer to the machine again


class Mood(enum.IntEnum):
    """Ordered: a larger mood is more willing."""

    OFFLINE = 0
    GOING_ON_HOLIDAY = 1
    RELUCTANT = 2
    EAGER = 3

    @property
    def label(self) -> str:
        """As people write it: ``going-on-holiday``."""
        return self.name.lower().replace('_', '-')

    @property
    def starts_builds(self) -> bool:
        """False: nothing new starts; what runs may finish."""
        return self >= Mood.RELUCTANT

    @classmethod
    def parse(cls, text: str) -> 'Mood':
        """The mood that a person typed; raises WordError, which names the nearest one."""
        wanted = text.strip().lower().replace('_', '-')
        labels = {mood.label: mood for mood in cls}
        if wanted in labels:
            return labels[wanted]
        near = difflib.get_close_matches(wanted, [*labels, AUTO], n=1, cutoff=0.4)
        hint = f'; did you mean "{near[0]}"?' if near else ''
        raise WordError(
            f'"{clean(text, 40)}" is no mood (one of {", ".join(labels)}, or {AUTO}){hint}'
        )
