# SPDX-License-Identifier: GPL-2.0-or-later
"""Size: how many builders, workers and pending requests a master has."""

from __future__ import annotations

import random
import re

import attrs

WORKERS_A_BUILDER = 10


@attrs.frozen
class Size:
    builders: int
    workers: int
    pending: int

    @classmethod
    def parse(cls, text: str) -> Size:
        """``'100/10/1,000'``; raises ValueError with a sentence."""
        plain = re.sub(r'[,_\s]', '', text)
        match = re.fullmatch(r'([1-9]\d*)/([1-9]\d*)/(\d+)', plain, re.ASCII)
        if match is None:
            raise ValueError(f'{text!r} is not BUILDERS/WORKERS/PENDING, such as 100/10/1000')
        return cls(*(int(number) for number in match.groups()))

    def __str__(self) -> str:
        return f'{self.builders:,}/{self.workers:,}/{self.pending:,}'

    def builder_names(self) -> list[str]:
        return [f'builder-{number:04}' for number in range(self.builders)]

    def worker_names(self) -> list[str]:
        return [f'worker-{number:04}' for number in range(self.workers)]

    def workers_of(self, builder: int) -> list[str]:
        """Ten by lot, the same at each run; of fewer all."""
        names = self.worker_names()
        lot = random.Random(builder)
        return lot.sample(names, min(WORKERS_A_BUILDER, self.workers))
