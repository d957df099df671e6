# SPDX-License-Identifier: GPL-2.0-or-later
"""Sharing: what requesters of this master want of shared locks, and what the database says to it.

A requester's bid is for all that it takes at once. It is asked when it is made, when something
that it wants was given back, and every few seconds, for a message may be lost.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING
from typing import Any
from typing import Callable

from buildbot_balancer.cluster.asking import Asking
from buildbot_balancer.cluster.bid import Bid
from buildbot_balancer.cluster.bid import Parts
from buildbot_balancer.cluster.bid import State
from buildbot_balancer.cluster.bid import listed
from buildbot_balancer.cluster.bid import name_of
from buildbot_balancer.cluster.bid import state_of
from buildbot_balancer.cluster.bids import WINDOW
from buildbot_balancer.cluster.bids import Bids
from buildbot_balancer.cluster.lease import Lease
from buildbot_balancer.cluster.membership import Told
from buildbot_balancer.cluster.returns import Returns
from buildbot_balancer.cluster.want import LockKey
from buildbot_balancer.cluster.want import Refused
from buildbot_balancer.cluster.want import Taken
from buildbot_balancer.log import say

if TYPE_CHECKING:
    from buildbot_balancer.cluster.sharedsemaphore import SharedSemaphore
    from buildbot_balancer.cluster.store import Store


class Sharing(Told):
    """`lease` is set by who makes both: each has to know the other."""

    def __init__(self, reactor: Any, store: Store, random: Random) -> None:
        self._reactor = reactor
        self._returns = Returns(reactor, store)
        self._bids = Bids()
        self._asking = Asking(reactor, store, random, self._bids, self._answered, self._remind)
        self.refused: Callable[[], None] = _nothing  # called after each refusal

    @property
    def lease(self) -> Lease:
        return self._asking.lease

    @lease.setter
    def lease(self, lease: Lease) -> None:
        self._asking.lease = lease

    def __iter__(self) -> Iterator[Bid]:
        return iter(self._bids)

    @property
    def is_sure(self) -> bool:
        return self.lease.is_sure

    @property
    def owners(self) -> set[str]:
        """Whoever of this master holds something in the database, or waits there, or is about to:
        what others find there of this master is to be given back.
        """
        return {*self._bids.keys, *self._returns.owners}

    def drop(self, bid: Bid) -> None:
        """Its build is over, and has not said so."""
        bid.claimed.clear()
        self._end(bid)

    def hold_takes(self) -> None:
        """Until `go_on` nothing is asked for."""
        self._asking.hold(held=True)

    def go_on(self) -> None:
        self._asking.hold(held=False)

    @property
    def quiet(self) -> bool:
        """Nothing is wanted, held, asked or to be told."""
        return self._asking.quiet and not (self._bids or self._returns.owners)

    # what semaphores ask

    def in_hand(self, requester: Any, semaphore: SharedSemaphore) -> Bid | None:
        for bid in self._bids.of(requester):
            if semaphore in bid.parts and bid.is_in_hand:
                return bid
        return None

    def want(self, requester: Any, alternatives: Collection[Parts], refused: Any = None) -> None:
        """It will take any of these, and wants nothing else that it has not claimed."""
        for bid in self._bids.of(requester):
            if not bid.claimed and not any(bid.parts == parts for parts in alternatives):
                self._end(bid)
        for parts in alternatives:
            bid = self.add(requester, parts)
            if refused is not None and not bid.is_settled:
                bid.refused = refused

    def is_asked(self, requester: Any) -> bool:
        """The database will soon say what it says to it."""
        return any(not bid.is_settled for bid in self._bids.of(requester))

    def add(self, requester: Any, parts: Parts) -> Bid:
        found = self._bids.unclaimed(requester, parts)
        if found is not None:
            return found
        now = float(self._reactor.seconds())
        made = self._bids.make(requester, parts, now, self._returns.owners)
        self._asking.soon([made])
        return made

    def leave(self, requester: Any, semaphore: SharedSemaphore) -> None:
        """It wants nothing here any more, and has claimed nothing: all or none."""
        for bid in self._bids.of(requester):
            if semaphore in bid.parts and not bid.claimed:
                self._end(bid)

    def claim(self, requester: Any, semaphore: SharedSemaphore) -> Bid | None:
        bid = self.in_hand(requester, semaphore)
        if bid is not None:
            first = not bid.claimed
            bid.claimed.add(semaphore)
            if first:
                self._rename(bid)
        return bid

    def release(self, requester: Any, semaphore: SharedSemaphore) -> None:
        """The units go back when the last of them is released."""
        for bid in self._bids.of(requester):
            if semaphore in bid.claimed:
                bid.claimed.discard(semaphore)
                if not bid.claimed:
                    self._end(bid)

    def hand_over(self, old: Any, new: Any) -> None:
        """The database hears of it when `new` claims: a build has no number before."""
        self._bids.hand_over(old, new)

    def opened(self, key: LockKey) -> None:
        """The first of those that wait for it is asked, and when it has it, the next; also where
        it lacks another lock, for then it keeps this one from nobody.
        """
        for bid in self:
            if bid.lacks == key:
                bid.lacks = None
            if bid.state is State.ASKING and bid.concerns(key):
                bid.again = True
                bid.tries[key] = 0
        self._ask_next(key, 0)

    # the lease

    def lease_began(self, incarnation: str) -> None:
        self._asking.go()

    def lease_unsure(self, incarnation: str) -> None:
        """Whoever asks is told that nothing is in hand."""

    def lease_sure(self, incarnation: str) -> None:
        self._asking.go()
        self._remind()

    def lease_lost(self, incarnation: str) -> None:
        """What was in hand is no more, and is asked for anew; builds that run go on."""
        held = [bid for bid in self if bid.claimed and not bid.lost]
        for bid in held:
            bid.lost = True
        if held:
            say(f'the lease of shared locks is lost; {listed(held)} may share with others now')
        self._asking.forget()
        for bid in self:
            if not bid.claimed:
                self._begin_anew(bid)
        self._asking.go()

    def stop(self) -> None:
        """What is not claimed is given back; the lease says what becomes of the rest."""
        for bid in self:
            if not bid.claimed:
                self._end(bid)
        self._asking.stop()

    async def flush(self) -> None:
        """Until the database has heard what is given back, or cannot be asked."""
        await self._returns.once()

    # how it works

    def _begin_anew(self, bid: Bid) -> None:
        granted = bid.state is State.GRANTED
        self._bids.keys.discard(bid.owner)
        self._bids.name(bid, self._returns.owners)
        bid.state, bid.again = State.NEW, False
        bid.tokens, bid.incarnation, bid.run = {}, '', bid.run + 1
        bid.lacks = None
        bid.doubtful = False
        self._asking.soon([bid])
        for semaphore in bid.parts if granted else ():
            semaphore.revoked(bid.requester)

    def _end(self, bid: Bid) -> None:
        before, bid.state = bid.state, State.OVER
        self._bids.remove(bid)
        self._asking.drop(bid)
        if before is State.ASKING:
            return  # the answer says what there is to give back
        self._bids.keys.discard(bid.owner)
        if bid.incarnation and not bid.lost:
            self._give_back(bid, before)
        if before is State.GRANTED:
            for semaphore in bid.parts:
                if semaphore not in bid.claimed:
                    semaphore.revoked(bid.requester)

    def _give_back(self, bid: Bid, last: State) -> None:
        """`last`: NEW where an answer never came."""
        held = bid.doubtful or last is not State.WAITS
        waited = last is not State.GRANTED
        self._returns.add(bid.incarnation, bid.owner, held=held, waited=waited)

    def _rename(self, bid: Bid) -> None:
        """A request's units are its build's now."""
        if bid.owner.partition('#')[0] == name_of(bid.requester):
            return
        old = bid.owner
        self._bids.name(bid, self._returns.owners)
        self._bids.keys.discard(old)
        self._returns.rename(bid.incarnation, old, bid.owner)

    # what the database has answered

    def _answered(self, bid: Bid, before: State, incarnation: str, answer: Any) -> None:
        if bid.state is State.OVER:
            bid.incarnation = incarnation
            self._bids.keys.discard(bid.owner)
            self._give_back(bid, state_of(answer))
        elif answer is None:
            # asked again, soon, it is the same grant
            bid.state, bid.incarnation, bid.doubtful = before, incarnation, True
        elif isinstance(answer, Taken):
            self._grant(bid, incarnation, answer)
        else:
            self._refuse(bid, incarnation, answer)

    def _grant(self, bid: Bid, incarnation: str, taken: Taken) -> None:
        bid.state, bid.incarnation, bid.again = State.GRANTED, incarnation, False
        bid.doubtful = False
        bid.tokens, bid.refused, bid.lacks = dict(taken.tokens), None, None
        bid.tries.clear()
        for semaphore in list(bid.parts):
            if bid.is_in_hand:  # whoever is told may let go of it
                semaphore.granted(bid.requester)
        for semaphore in bid.parts:
            self.opened(semaphore.key)
            self._asking.soon(self._bids.far(semaphore))

    def _refuse(self, bid: Bid, incarnation: str, answer: Refused) -> None:
        bid.state, bid.incarnation, bid.doubtful = State.WAITS, incarnation, False
        again, bid.again = bid.again, False
        refused, bid.refused = bid.refused, None
        if again:
            self._asking.soon([bid])
        else:
            bid.lacks = answer.lock
            tries, bid.tries = bid.tries, {}
            self._pass_on(tries, answer)
        if refused is not None:
            refused()
        self.refused()

    def _pass_on(self, tries: Mapping[LockKey, int], answer: Refused) -> None:
        """Who lacks one lock does not stand in the way at the others that have opened; and who the
        database says comes first need not be the first here.
        """
        ahead = self._bids.waiting_as(answer.ahead)
        for key, tried in tries.items():
            if tried + 1 >= WINDOW:
                continue
            if ahead is not None:
                self._ask_for(key, ahead, tried + 1)
            elif key != answer.lock:
                self._ask_next(key, tried + 1)

    def _ask_next(self, key: LockKey, tried: int) -> None:
        first = self._bids.first_waiting(key)
        if first is not None:
            self._ask_for(key, first, tried)

    def _ask_for(self, key: LockKey, bid: Bid, tried: int) -> None:
        bid.tries[key] = tried
        self._asking.soon([bid])

    def _remind(self) -> None:
        """Those that were told when the lease was not sure."""
        if not self.lease.is_sure:
            return
        for bid in self:
            if bid.is_in_hand and not bid.claimed:
                for semaphore in list(bid.parts):
                    semaphore.granted(bid.requester)


def _nothing() -> None:
    """Nobody wants to know."""
