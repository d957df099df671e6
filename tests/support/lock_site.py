# SPDX-License-Identifier: GPL-2.0-or-later
"""The config of a load: ten builders, twenty workers in four groups, and every kind of lock."""

from __future__ import annotations

from typing import Any
from typing import Callable

import attrs
from buildbot.config import BuilderConfig
from buildbot.plugins import util
from buildbot.plugins import worker
from buildbot.process.factory import BuildFactory

from support.lock_meter import Meter
from support.lock_meter import Taking

WORKERS = tuple(f'w{n}' for n in range(20))
GROUPS = {name: f'g{n // 5}' for n, name in enumerate(WORKERS)}
BRANCHES = ('main', 'stable', 'topic')
BOX = ('w2', 'w7', 'w12')  # they share a MasterLock as workers
TOOL = ('w3', 'w8', 'w13', 'w18')  # each has a WorkerLock as a worker
FLAKY = ('w14', 'w19')  # they come over a real connection, and lose it
STEADY = tuple(name for name in WORKERS if name not in FLAKY)
BRANCH_LIMIT = 2
BOX_LIMIT = 2
SEVERAL_BUILDS = 4

HOST = {'g0': 2, 'g1': 3, 'g2': 4, 'g3': 5}
LICENCE = 3


@attrs.frozen
class Limits:
    """What the reconfigs of a load change."""

    host: dict[str, int] = attrs.field(factory=lambda: dict(HOST))
    licence: int = LICENCE

    def tell(self, meter: Meter) -> None:
        for group, units in self.host.items():
            meter.limit(f'host:{group}', units)
        meter.limit('licence', self.licence)


LOWERED = Limits({**HOST, 'g1': 1, 'g3': 3}, licence=2)
RAISED = Limits({**HOST, 'g1': 4}, licence=4)

# How often a builder is in a buildset. Whoever takes all of a lock is rare: it costs the others
# the whole time from choice to end.
SHARES = {
    'served-one': 0.9,
    'served-heavy': 0.6,
    'served-whole': 0.1,
    'served-branch': 0.6,
    'served-licence': 0.4,
    'served-alone': 0.1,
    'served-boxed': 0.6,
    'served-disk': 0.4,
    'served-step': 0.3,
    'stock': 0.3,
}


def takings(builder: str, on: str, branch: str) -> list[Taking]:
    """What a build of this builder has while its step runs."""
    host = f'host:{GROUPS[on]}'
    own = {
        'served-one': [Taking(host)],
        'served-heavy': [Taking(host, 2)],
        'served-whole': [Taking(host, exclusive=True)],
        'served-branch': [Taking(host), Taking(f'branch:{branch}')],
        'served-licence': [Taking(host), Taking('licence')],
        'served-alone': [Taking('licence', exclusive=True)],
        'served-boxed': [Taking(host)],
        'served-disk': [Taking(f'disk:{on}', exclusive=True)],
        'served-step': [Taking(host)],
        'stock': [Taking(host), Taking('licence')],
    }[builder]
    if on in BOX:
        own.append(Taking('box'))
    if on in TOOL:
        own.append(Taking(f'tool:{on}'))
    return own


def new_meter(clock: Callable[[], float]) -> Meter:
    meter = Meter(clock)
    Limits().tell(meter)
    meter.limit('box', BOX_LIMIT)
    for branch in BRANCHES:
        meter.limit(f'branch:{branch}', BRANCH_LIMIT)
    for name in WORKERS:
        meter.limit(f'disk:{name}', 1)
        meter.limit(f'tool:{name}', 1)
    return meter


def make_workers() -> list[Any]:
    box = util.MasterLock('box', BOX_LIMIT).access('counting')
    tool = util.WorkerLock('tool', 1).access('counting')

    def locks(name: str) -> list[Any]:
        return [box] * (name in BOX) + [tool] * (name in TOOL)

    made = [
        worker.LocalWorker(name, missing_timeout=0, max_builds=SEVERAL_BUILDS, locks=locks(name))
        for name in STEADY
    ]
    made += [
        worker.Worker(name, 'pw', missing_timeout=0, max_builds=SEVERAL_BUILDS) for name in FLAKY
    ]
    return made


def lock_ids(limits: Limits) -> dict[str, Any]:
    return {
        'host': util.WorkerGroupLock(
            'host', maxCountForGroup=dict(limits.host), workerToGroup=dict(GROUPS)
        ),
        'licence': util.MasterLock('licence', limits.licence),
        'version': util.BranchLock('version', BRANCH_LIMIT),
        'disk': util.WorkerLock('disk', 1),
    }


def make_builders(
    limits: Limits, make_step: Callable[..., Any], do_build_if: Callable[[Any], bool]
) -> list[Any]:
    lock = lock_ids(limits)
    host, licence = lock['host'].access('counting'), lock['licence'].access('counting')
    locks = {
        'served-one': [host],
        'served-heavy': [lock['host'].access('counting', count=2)],
        'served-whole': [lock['host'].access('exclusive')],
        'served-branch': [host, lock['version'].access('counting')],
        'served-licence': [licence, host],
        'served-alone': [lock['licence'].access('exclusive')],
        'served-boxed': [host],
        'served-disk': [lock['disk'].access('exclusive')],
        'served-step': [],
        'stock': [host, licence],
    }
    places = {
        'served-boxed': BOX + TOOL,
        # A worker's own locks are looked after for builders that are served; and Buildbot's own
        # chooser raises where a worker leaves while it looks at it.
        'stock': tuple(name for name in STEADY if name not in BOX + TOOL),
    }
    return [
        BuilderConfig(
            name=name,
            workernames=list(places.get(name, WORKERS)),
            factory=BuildFactory([make_step(locks=[host] if name == 'served-step' else [])]),
            locks=own,
            collapseRequests=False,
            do_build_if=do_build_if if name.startswith('served-') else None,
        )
        for name, own in locks.items()
    ]
