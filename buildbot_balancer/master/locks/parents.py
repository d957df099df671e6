# SPDX-License-Identifier: GPL-2.0-or-later
"""Parents: builds that hold a lock and wait for a request, or a build, that needs the same lock.

A build whose Trigger step waits is over only when what it has triggered is; if that needs a lock
that the build holds, neither can go on. Only builds of this master are seen: locks are those of
one master, and so is the deadlock.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import attrs
from buildbot.process.buildstep import BuildStep
from twisted.internet import defer
from twisted.internet import task

from buildbot_balancer.locks import asking
from buildbot_balancer.locks import requester as who
from buildbot_balancer.locks.holders import Hindrance
from buildbot_balancer.locks.holders import Holders
from buildbot_balancer.locks.holders import Part
from buildbot_balancer.log import failed
from buildbot_balancer.log import say
from buildbot_balancer.master import compat

KEPT = 10_000  # buildsets whose parent is known
NAMED = 3  # builds by name in one sentence
DEGREES = ('parent', 'grandparent')


@attrs.frozen
class Deadlock:
    """`holders`: who holds `lock` and waits for `request`; `before`: who stands in line for it
    earlier and can have it no sooner.
    """

    request: int
    lock: str
    holders: tuple[str, ...]
    before: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """Begins as the rest of "request 7 waits:", and names the remedy last."""
        many = len(self.holders) > 1
        said = (
            f'its {_listed(self.holders)} {"hold" if many else "holds"} lock {self.lock!r} and'
            f' {"wait" if many else "waits"} for request {self.request}'
        )
        if self.before:
            said += f', which stands in line behind {_listed(self.before)}'
        nobody = 'none of them' if many or self.before else 'neither'
        return f'{said}: {nobody} can go on; stop one, or take the lock in one of them only'


@attrs.frozen(eq=False)
class _Ancestor:
    build: Any
    degree: int  # 1: a parent

    @property
    def title(self) -> str:
        degree = DEGREES[self.degree - 1] if self.degree <= len(DEGREES) else 'ancestor'
        return f'{degree} build {_name(self.build)}'

    def holders(self) -> Iterator[tuple[Any, str]]:
        """Who may hold locks until the build goes on, and what to call them."""
        yield self.build, self.title
        for step in _running_steps(self.build):
            yield step, f'{self.title} (step {step.name!r})'
        worker = self.build.workerforbuilder and self.build.workerforbuilder.worker
        # Buildbot gives back a worker's locks when any build on it ends
        if worker and worker.locks and _runs_one_build(worker):
            yield worker, f'{self.title} (worker {worker.workername})'


@attrs.frozen(eq=False)
class _Place:
    """In the place of a WorkerForBuilder, for a worker that need not be connected."""

    worker: Any


class Parents:
    """`deadlock` costs one query for each buildset that a build waits for."""

    def __init__(self, master: Any) -> None:
        self._master = master
        self._known: OrderedDict[int, weakref.ref[Any] | None] = OrderedDict()
        self._said: set[tuple[Any, ...]] = set()
        self._loop: Any = None

    async def deadlock(
        self, builder: Any, breq: Any, workernames: Iterable[str] | None = None
    ) -> Deadlock | None:
        """Why a request that waits will start on no worker; `workernames` are those that could
        take it at all (None: all of the builder's), connected or not.
        """
        ancestors = await self._ancestors([breq])
        if not any(_holds(holder) for one in ancestors for holder, _ in one.holders()):
            return None
        names = builder.config.workernames if workernames is None else workernames
        named = [compat.worker_named(self._master, name) for name in names]
        workers = [worker for worker in named if worker is not None]
        wanted = [await _wanted(builder, breq, worker) for worker in workers]
        # from here on nothing waits, so that all that is seen is of one moment
        found = [self._between(ancestors, breq.id, pairs) for pairs in wanted]
        return found[0] if found and all(found) else None

    async def look(self) -> None:
        """One line for each running build, or step of it, that waits for a lock of an ancestor."""
        deadlocked = set()
        for _, _, build in list(compat.builds_going_on(self._master)):
            if not _waits(build):
                continue
            ancestors = await self._ancestors(build.requests)
            for requester, lock, access in _waits(build):
                request = next((r.id for r in build.requests if compat.waited_for(r)), 0)
                found = self._between(ancestors, request, [(requester, lock, access)])
                if found is not None:
                    key = (build.buildid, id(requester), found)
                    deadlocked.add(key)
                    if key not in self._said:
                        say(f'{_title(requester)} waits: {found.sentence}')
        self._said = deadlocked

    def watch(self, reactor: Any, every: float) -> None:
        """Looks every so many seconds, in the place of what was arranged before."""
        if self._loop is not None and self._loop.running and self._loop.interval == every:
            return
        self.stop()
        self._loop = task.LoopingCall(self._look_safely)
        self._loop.clock = reactor
        self._loop.start(every, now=False)

    def stop(self) -> None:
        loop, self._loop = self._loop, None
        if loop is not None and loop.running:
            loop.stop()

    def _look_safely(self) -> defer.Deferred[None]:
        looked = defer.ensureDeferred(self.look())
        return looked.addErrback(failed, 'while looking for builds that wait for their parents')

    async def _ancestors(self, breqs: Iterable[Any]) -> list[_Ancestor]:
        """The running builds that wait for these requests, the nearest first."""
        found: dict[int, _Ancestor] = {}
        generation, degree = list(breqs), 0
        while generation:
            degree += 1
            parents = [await self._parent(breq) for breq in generation if compat.waited_for(breq)]
            new = {id(b): _Ancestor(b, degree) for b in parents if b is not None}
            new = {key: one for key, one in new.items() if key not in found}
            found.update(new)
            generation = [breq for one in new.values() for breq in one.build.requests]
        return [one for one in found.values() if not one.build.finished]

    async def _parent(self, breq: Any) -> Any:
        """None where it does not run here; then it never will."""
        bsid = breq.bsid
        if bsid not in self._known:
            buildset = await self._master.db.buildsets.getBuildset(bsid)
            build = self._running(None if buildset is None else buildset.parent_buildid)
            self._known[bsid] = None if build is None else weakref.ref(build)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        known = self._known.get(bsid)
        return None if known is None else known()

    def _running(self, buildid: int | None) -> Any:
        for _, _, build in compat.builds_going_on(self._master):
            if buildid is not None and build.buildid == buildid:
                return build
        return None

    def _between(
        self, ancestors: list[_Ancestor], request: int, wanted: list[tuple[Any, Any, Any]]
    ) -> Deadlock | None:
        """`wanted`: (requester, real lock, access), all of which must be had."""
        titles = {id(holder): title for one in ancestors for holder, title in one.holders()}
        for requester, lock, access in wanted:
            holders = Holders.of(lock, requester, access)
            hindered = None if holders is None else holders.hindered(access, titles)
            if hindered is not None:
                return self._deadlock(request, lock, hindered, titles)
        return None

    def _deadlock(
        self, request: int, lock: Any, hindered: Hindrance, titles: dict[int, str]
    ) -> Deadlock:
        return Deadlock(
            request=request,
            lock=lock.lockName,
            holders=tuple(titles[owner] for owner in hindered.holders),
            before=tuple(self._title_of(part) for part in hindered.before),
        )

    def _title_of(self, part: Part) -> str:
        """Of one that waits."""
        if part.requester is not None:
            return _title(part.requester)
        for _, _, build in compat.builds_going_on(self._master):
            for one in (build, *_running_steps(build)):
                if id(one) == part.owner:
                    return _title(one)
        return 'another build'


async def _wanted(builder: Any, breq: Any, worker: Any) -> list[tuple[Any, Any, Any]]:
    """(requester, real lock, access) of all that a build on `worker` takes."""
    pairs = await asking.real_locks(builder, _Place(worker), breq)
    return [
        *((breq, lock, access) for lock, access in pairs),
        *((worker, lock, access) for lock, access in worker.locks or ()),
    ]


def _running_steps(build: Any) -> list[Any]:
    """The one that runs, and the members that run in it; the outermost first."""
    return [step for step in build.executedSteps if step.results is None]


def _runs_one_build(worker: Any) -> bool:
    return sum(1 for wfb in worker.workerforbuilders.values() if compat.runs_a_build(wfb)) == 1


def _holds(holder: Any) -> bool:
    """Whether it is worth a closer look."""
    wanted = getattr(holder, '_locks_to_acquire', None)  # of builds and steps; there is no accessor
    pairs = getattr(holder, 'locks', None) if wanted is None else wanted
    return any(lock.isOwner(holder, access) for lock, access in pairs or ())


def _waits(build: Any) -> list[tuple[Any, Any, Any]]:
    """(requester, real lock, access) of what a running build or its steps wait for."""
    waits = [(build, build._acquiringLock)]  # noqa: SLF001  there is no accessor
    for step in _running_steps(build):
        waits += [(step, one) for one in step._acquiringLocks[-1:]]  # noqa: SLF001
    return [
        (requester, one[0], one[1])
        for requester, one in waits
        if one is not None and not one[2].called
    ]


def _title(requester: Any) -> str:
    build = who.build_of(requester)
    if build is None:
        number = getattr(requester, 'id', None)
        return 'another build' if number is None else f'request {number}'
    if isinstance(requester, BuildStep):
        return f'step {requester.name!r} of {_name(build)}'
    return f'build {_name(build)}'


def _name(build: Any) -> str:
    return f'{build.builder.name} #{build.number}'


def _listed(names: tuple[str, ...]) -> str:
    *rest, last = names[:NAMED]
    text = f'{", ".join(rest)} and {last}' if rest else last
    return text if len(names) <= NAMED else f'{", ".join(names[:NAMED])} and others'
