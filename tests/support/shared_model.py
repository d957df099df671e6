# SPDX-License-Identifier: GPL-2.0-or-later
"""A store of shared locks that answers when a test says so, and a lease that does as it is told."""

from __future__ import annotations

from typing import Any
from typing import Callable

import attrs
from buildbot.process.buildrequest import BuildRequest
from twisted.internet import defer

from buildbot_balancer.cluster.lost import LostLeaseError
from buildbot_balancer.cluster.protocol import Held
from buildbot_balancer.cluster.protocol import Party
from buildbot_balancer.cluster.protocol import refusal
from buildbot_balancer.cluster.sharedsemaphore import SharedSemaphore
from buildbot_balancer.cluster.want import LockKey
from buildbot_balancer.cluster.want import Refused
from buildbot_balancer.cluster.want import Taken
from buildbot_balancer.cluster.want import by_lock
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.locks.door import Door

OTHER = 'other'  # the run of another master, whose lease always holds


@attrs.define
class Asked:
    what: str
    owners: list[str]
    work: Callable[[], Any]
    answer: defer.Deferred[Any]


class ModelStore:
    """Decides as the protocol does, one call after the other, in the order of the answers."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.asked: list[Asked] = []
        self.units: list[Held] = []
        self.waiting: dict[tuple[str, str], Party] = {}
        self.living = {OTHER}
        self.freed: Callable[[list[LockKey]], None] = lambda _: None
        self.tokens = 0
        self.numbers = 0

    # what a Store has

    def take(self, incarnation: str, owner: str, wants: Any, **more: Any) -> Any:
        return self._later('take', [owner], lambda: self._take(incarnation, owner, wants, **more))

    def give_back(self, incarnation: str, owners: list[str]) -> Any:
        return self._later('give_back', owners, lambda: self._give_back(incarnation, owners))

    def stop_waiting(self, incarnation: str, owners: list[str]) -> Any:
        return self._later('stop_waiting', owners, lambda: self._stop_waiting(incarnation, owners))

    def owners(self, incarnation: str) -> Any:
        return self._later('owners', [], lambda: self._owners(incarnation))

    def hand_over(self, incarnation: str, old: str, new: str) -> Any:
        return self._later('hand_over', [old, new], lambda: self._hand_over(incarnation, old, new))

    # what a test does

    def answer(self, index: int = 0, how: str = 'done') -> None:
        """`how`: 'done'; 'unheard', where it is done and the answer lost; 'failed'."""
        one = self.asked.pop(index % len(self.asked))
        result: Any = BalancerError('the database says: no')
        if how != 'failed':
            try:
                done = one.work()
            except LostLeaseError as e:
                done = e
            result = result if how == 'unheard' else done
        if isinstance(result, Exception):
            one.answer.errback(result)
        else:
            one.answer.callback(result)

    def end(self, incarnation: str) -> None:
        """Its lease is over."""
        self.living.discard(incarnation)
        mine = [one for one in self.units if one.incarnation == incarnation]
        self.units = [one for one in self.units if one not in mine]
        self.waiting = {key: one for key, one in self.waiting.items() if key[0] != incarnation}
        self.freed([one.lock for one in mine])

    def other_takes(self, owner: str, *wants: Any) -> bool:
        return isinstance(self._take(OTHER, owner, wants, wait=False), Taken)

    def other_gives_back(self) -> None:
        self._give_back(OTHER, [one.owner for one in self.units if one.incarnation == OTHER])

    def give_back_now(self, *owners: str) -> None:
        """What the other master holds for these."""
        self._give_back(OTHER, list(owners))

    def holders(self, incarnation: str, key: LockKey) -> list[str]:
        return [
            one.owner for one in self.units if (one.incarnation, one.lock) == (incarnation, key)
        ]

    def add_stray(self, incarnation: str, owner: str, key: LockKey) -> None:
        """Units that nobody there knows of."""
        self.tokens += 1
        self.units.append(
            Held(
                lock=key,
                incarnation=incarnation,
                master='m',
                owner=owner,
                mode='counting',
                count=1,
                token=self.tokens,
                granted_at=self.clock.seconds(),
            )
        )

    # how it works

    def _owners(self, incarnation: str) -> set[str]:
        held = {one.owner for one in self.units if one.incarnation == incarnation}
        return held | {owner for run, owner in self.waiting if run == incarnation}

    def _later(self, what: str, owners: list[str], work: Callable[[], Any]) -> defer.Deferred[Any]:
        answer: defer.Deferred[Any] = defer.Deferred()
        self.asked.append(Asked(what, list(owners), work, answer))
        return answer

    def _take(
        self,
        incarnation: str,
        owner: str,
        wants: Any,
        wait: bool = True,
        priority: int = 0,
        running: bool = False,
    ) -> Any:
        if incarnation not in self.living:
            raise LostLeaseError('over')
        mine = [one for one in self.units if (one.incarnation, one.owner) == (incarnation, owner)]
        if mine:
            return Taken({one.lock: one.token for one in mine})
        now = self.clock.seconds()
        before = self.waiting.get((incarnation, owner))
        self.numbers += 1
        party = Party(
            owner=owner,
            wants=by_lock(wants),
            since=now if before is None else before.since,
            asked_at=now,
            number=self.numbers if before is None else before.number,
            priority=priority,
            running=running,
        )
        why = refusal(party, self.waiting.values(), self.units, now)
        if why is not None:
            if wait:
                self.waiting[incarnation, owner] = party
            return Refused(party.wants[why.lock].key, why.because, why.ahead)
        self.waiting.pop((incarnation, owner), None)
        self.tokens += 1
        for want in party.wants.values():
            held = Held(
                lock=want.key,
                incarnation=incarnation,
                master=incarnation,
                owner=owner,
                mode=want.mode,
                count=want.count,
                token=self.tokens,
                granted_at=now,
            )
            self.units.append(held)
        return Taken({want.key: self.tokens for want in party.wants.values()})

    def _give_back(self, incarnation: str, owners: list[str]) -> list[LockKey]:
        mine = [one for one in self.units if one.incarnation == incarnation and one.owner in owners]
        self.units = [one for one in self.units if one not in mine]
        keys = [one.lock for one in mine]
        self.freed(keys)
        return keys

    def _stop_waiting(self, incarnation: str, owners: list[str]) -> None:
        left = [self.waiting.pop((incarnation, one), None) for one in owners]
        self.freed([want.key for one in left if one for want in one.wants.values()])

    def _hand_over(self, incarnation: str, old: str, new: str) -> int:
        found = [one for one in self.units if (one.incarnation, one.owner) == (incarnation, old)]
        self.units = [attrs.evolve(one, owner=new) if one in found else one for one in self.units]
        return len(found)


class ALease:
    def __init__(self, store: ModelStore) -> None:
        self.incarnation: str | None = None
        self.sure = True
        self.needed = False
        self._store = store
        self._runs = 0

    @property
    def is_sure(self) -> bool:
        return self.sure and self.incarnation is not None

    def need(self) -> None:
        self.needed = True

    def begin(self) -> str:
        self._runs += 1
        self.incarnation = f'run {self._runs}'
        self._store.living.add(self.incarnation)
        return self.incarnation


class OneDoor(Door):
    """The same semaphore for all."""

    shared = True

    def __init__(self, semaphore: SharedSemaphore) -> None:
        super().__init__(semaphore.lockName)
        self.semaphore = semaphore

    def semaphore_for(self, requester: Any, access: Any) -> SharedSemaphore:
        return self.semaphore

    def all_semaphores(self) -> list[SharedSemaphore]:
        return [self.semaphore]


class Step:
    """As Buildbot's steps take their locks: all or none, woken it looks again."""

    def __init__(self, pairs: list[tuple[Any, Any]]) -> None:
        self._locks_to_acquire = pairs
        self._acquiringLocks: list[Any] = []
        self.stopped = False
        self.has = False

    def acquire(self, _: Any = None) -> None:
        if self.stopped or self.has:
            return
        for lock, access in self._locks_to_acquire:
            if not lock.isAvailable(self, access):
                waits = lock.waitUntilMaybeAvailable(self, access)
                self._acquiringLocks.append((lock, access, waits))
                waits.addCallback(self.acquire)
                return
        for lock, access in self._locks_to_acquire:
            lock.claim(self, access)
        self._acquiringLocks, self.has = [], True

    def stop(self) -> None:
        self.stopped = True
        waits, self._acquiringLocks = self._acquiringLocks, []
        for lock, access, d in waits:
            lock.stopWaitingUntilAvailable(self, access, d)

    def release(self) -> None:
        self.has, self.stopped = False, True
        for lock, access in self._locks_to_acquire:
            lock.release(self, access)


class Pending(BuildRequest):
    """A request, and what it needs on one worker."""

    def __init__(self, number: int, pairs: list[tuple[Any, Any]]) -> None:
        super().__init__()
        self.id = number
        self.priority = 0
        self.pairs = pairs
