# SPDX-License-Identifier: GPL-2.0-or-later
"""Builders with locks of all kinds, and which request could start where, by the builds that run."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import ClassVar

from buildbot.interfaces import IRenderable
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import initialize
from twisted.internet import defer
from twisted.python import log
from zope.interface import implementer

from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.locks.group import WorkerGroupLock
from support.distributor_site import Site

MOST = {'w1': 2, 'w2': 2, 'w3': None, 'w4': 1}
WORKERS = list(MOST)
BUILDERS = {'a': ['w1', 'w2'], 'b': ['w2', 'w3', 'w4'], 'c': WORKERS}
GROUPS = {'w1': 'g', 'w2': 'g', 'w3': 'h'}

ONE = MasterLock('one').access('exclusive')
TWO = MasterLock('two', maxCount=2).access('counting')
HEAVY = MasterLock('two', maxCount=2).access('counting', 2)
JTAG = WorkerLock('jtag').access('exclusive')
HOST = WorkerGroupLock('host', workerToGroup=GROUPS, maxCountForGroup={'h': 2}).access('counting')
BRANCH = BranchLock('version').access('exclusive')
LOCKS = st.lists(
    st.sampled_from([ONE, TWO, HEAVY, JTAG, HOST, BRANCH]),
    max_size=2,
    unique_by=lambda one: one.lockid.name,
)


@implementer(IRenderable)
class ByBranch:
    """Another lock for each branch."""

    accesses: ClassVar = {name: MasterLock(f'of {name}').access('exclusive') for name in 'xy'}

    def of(self, breq: Any) -> list[Any]:
        return [self.accesses[breq.properties['branch']]]

    def getRenderingFor(self, props: Any) -> Any:
        return defer.succeed([self.accesses[props.getProperty('branch')]])


SETUP = {
    'locks': st.fixed_dictionaries(dict.fromkeys(BUILDERS, LOCKS)),
    'alike': st.booleans(),
    'rendered': st.booleans(),
    'order': st.sampled_from(['request', 'request', 'builder', 'worker']),
}
REQUEST = {
    'builder': st.sampled_from(list(BUILDERS)),
    'priority': st.integers(0, 1),
    'branch': st.sampled_from('xxy'),
    'named': st.sampled_from([None, None, None, *WORKERS]),
}


class LockedSite(Site):
    """`paused`: workers."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(BUILDERS, MOST, **settings)
        self.paused: set[str] = set()

    def use_locks(self, locks: Mapping[str, Sequence[Any]], alike: bool, rendered: bool) -> None:
        for name, accesses in locks.items():
            own = locks['c'] if alike else accesses
            if own:
                self.use_lock(name, *own)
        if rendered:
            self.render('a')
        self.configure()

    def render(self, name: str) -> None:
        builder, locks = self.builders[name], ByBranch()
        builder.config.locks = locks
        for access in locks.accesses.values():
            self.real_lock(access)
        builder.locks_of = lambda breq: [(self.real_lock(a), a) for a in locks.of(breq)]

    def pause(self, worker: str) -> None:
        """Or let it go on."""
        self.paused ^= {worker}
        self.workers[worker]._paused = worker in self.paused
        self.distributor.worker_changed(worker)

    # what is so

    def could(self, requests: Sequence[int]) -> set[tuple[int, str]]:
        """(request, worker): it could start there now."""
        waiting = [self.backlog.breqs[one] for one in requests]
        return {(one.id, name) for one in waiting for name in WORKERS if self.can(one, name)}

    def can(self, breq: Any, name: str) -> bool:
        builder, worker = self.builders[breq.buildername], self.workers[name]
        place = next((p for p in builder.workers if p.worker is worker), None)
        return (
            place is not None
            and name not in self.paused
            and place.isAvailable()
            and breq.properties.getProperty('workername', name) == name
            and breq.id not in self.closed
            and all(self.fits(access, breq, name) for _, access in builder.locks_of(breq))
        )

    def fits(self, access: Any, breq: Any, name: str) -> bool:
        """By the builds that hold it."""
        held = [
            its
            for build in self.builds()
            for lock, its in build.claimed
            if its.lockid.name == access.lockid.name
            and self.is_same(access.lockid, build, breq, name)
        ]
        if access.mode == 'exclusive' or any(one.mode == 'exclusive' for one in held):
            return not held
        limit = access.lockid.maxCount
        if isinstance(access.lockid, WorkerGroupLock):
            limit = 2 if GROUPS.get(name) == 'h' else limit
        return sum(one.count for one in held) + access.count <= limit

    def is_same(self, lockid: Any, build: Any, breq: Any, name: str) -> bool:
        if isinstance(lockid, WorkerLock) and not isinstance(lockid, WorkerGroupLock):
            return build.workername == name
        if isinstance(lockid, WorkerGroupLock):
            return GROUPS.get(build.workername, 'w4') == GROUPS.get(name, 'w4')
        if isinstance(lockid, BranchLock):
            return build.requests[0].properties['branch'] == breq.properties['branch']
        return True


class LocksMachine(RuleBasedStateMachine):
    """A subclass makes `site`, a LockedSite. What is logged as an error is one."""

    site: LockedSite

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[Any] = []
        log.addObserver(self.observe)

    def observe(self, event: Any) -> None:
        if event['isError']:
            self.errors.append(event)

    def teardown(self) -> None:
        log.removeObserver(self.observe)
        self.site.stop()
        assert not self.errors

    @initialize(**SETUP)
    def use_locks(self, locks: Any, alike: Any, rendered: Any, order: Any) -> None:
        self.site.distributor.ordering.order = order
        self.site.use_locks(locks, alike, rendered)
