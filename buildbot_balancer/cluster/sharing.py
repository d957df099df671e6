# SPDX-License-Identifier: GPL-2.0-or-later
"""Sharing: what requesters of this master want of shared locks, and what the database says to it.

A requester's bid is for all that it takes at once. It is asked when it is made, when something
that it wants was given back, and every few seconds, for a message may be lost.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from itertools import count
from random import Random
from typing import TYPE_CHECKING
from typing import Any
from typing import Callable

from twisted.internet import defer
from twisted.python.failure import Failure

from buildbot_balancer.cluster.bid import Bid
from buildbot_balancer.cluster.bid import Parts
from buildbot_balancer.cluster.bid import State
from buildbot_balancer.cluster.bid import listed
from buildbot_balancer.cluster.bid import name_of
from buildbot_balancer.cluster.bid import state_of
from buildbot_balancer.cluster.lease import Lease
from buildbot_balancer.cluster.lost import LostLeaseError
from buildbot_balancer.cluster.membership import Told
from buildbot_balancer.cluster.protocol import AGEING
from buildbot_balancer.cluster.returns import Returns
from buildbot_balancer.cluster.want import LockKey
from buildbot_balancer.cluster.want import Refused
from buildbot_balancer.cluster.want import Taken
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.log import failed
from buildbot_balancer.log import say

if TYPE_CHECKING:
    from buildbot_balancer.cluster.sharedsemaphore import SharedSemaphore
    from buildbot_balancer.cluster.store import Store

POLL = 4.0  # seconds; the protocol passes over who has not asked for some more
AT_ONCE = 4  # takes that are under way; Buildbot's own queries need threads, too
WINDOW = 10  # of those that wait for one lock, so many stand in the database's line


class Sharing(Told):
    """`lease` is set by who makes both: each has to know the other."""

    lease: Lease

    def __init__(self, reactor: Any, store: Store, random: Random) -> None:
        self._reactor = reactor
        self._store = store
        self._random = random
        self._returns = Returns(reactor, store)
        self._bids: dict[int, list[Bid]] = {}  # by id() of the requester
        self._due: dict[Bid, None] = {}
        self._keys: set[str] = set()  # of bids, also of those that are over and asked for
        self._numbers = count(1)
        self._asking: set[tuple[Bid, int]] = set()  # with their runs
        self._call: Any = None
        self._timer: Any = None
        self._stopped = False
        self._held = False
        self.refused: Callable[[], None] = _nothing  # called after each refusal

    def __iter__(self) -> Iterator[Bid]:
        for bids in list(self._bids.values()):
            yield from list(bids)

    @property
    def is_sure(self) -> bool:
        return self.lease.is_sure

    @property
    def owners(self) -> set[str]:
        """Whoever of this master holds something in the database, or waits there, or is about to:
        what others find there of this master is to be given back.
        """
        return {*self._keys, *self._returns.owners}

    def drop(self, bid: Bid) -> None:
        """Its build is over, and has not said so."""
        bid.claimed.clear()
        self._end(bid)

    def hold_takes(self) -> None:
        """Until `go_on` nothing is asked for."""
        self._held = True

    def go_on(self) -> None:
        self._held = False
        self._pump_soon()

    @property
    def quiet(self) -> bool:
        """Nothing is wanted, held, asked or to be told."""
        return not (self._bids or self._due or self._asking or self._returns.owners)

    # what semaphores ask

    def in_hand(self, requester: Any, semaphore: SharedSemaphore) -> Bid | None:
        for bid in self._bids.get(id(requester), ()):
            if semaphore in bid.parts and bid.is_in_hand:
                return bid
        return None

    def want(self, requester: Any, alternatives: Collection[Parts], refused: Any = None) -> None:
        """It will take any of these, and wants nothing else that it has not claimed."""
        for bid in list(self._bids.get(id(requester), ())):
            if not bid.claimed and not any(bid.parts == parts for parts in alternatives):
                self._end(bid)
        for parts in alternatives:
            bid = self.add(requester, parts)
            if refused is not None and not bid.is_settled:
                bid.refused = refused

    def is_asked(self, requester: Any) -> bool:
        """The database will soon say what it says to it."""
        return any(not bid.is_settled for bid in self._bids.get(id(requester), ()))

    def add(self, requester: Any, parts: Parts) -> Bid:
        for bid in self._bids.get(id(requester), ()):
            if not bid.claimed and bid.parts == parts:
                return bid
        turn = self._turn(requester, parts)
        made = Bid(requester, dict(parts), self._new_key(requester), turn)
        self._bids.setdefault(id(requester), []).append(made)
        self._ask_soon([made])
        return made

    def leave(self, requester: Any, semaphore: SharedSemaphore) -> None:
        """It wants nothing here any more, and has claimed nothing: all or none."""
        for bid in list(self._bids.get(id(requester), ())):
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
        for bid in list(self._bids.get(id(requester), ())):
            if semaphore in bid.claimed:
                bid.claimed.discard(semaphore)
                if not bid.claimed:
                    self._end(bid)

    def hand_over(self, old: Any, new: Any) -> None:
        """The database hears of it when `new` claims: a build has no number before."""
        for bid in self._bids.pop(id(old), []):
            bid.requester = new
            self._bids.setdefault(id(new), []).append(bid)

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
        self._pump_soon()

    def lease_unsure(self, incarnation: str) -> None:
        """Whoever asks is told that nothing is in hand."""

    def lease_sure(self, incarnation: str) -> None:
        self._pump_soon()
        self._remind()

    def lease_lost(self, incarnation: str) -> None:
        """What was in hand is no more, and is asked for anew; builds that run go on."""
        held = [bid for bid in self if bid.claimed and not bid.lost]
        for bid in held:
            bid.lost = True
        if held:
            say(f'the lease of shared locks is lost; {listed(held)} may share with others now')
        self._asking.clear()  # a database that is not reached may never answer
        self._held = False
        for bid in self:
            if not bid.claimed:
                self._begin_anew(bid)
        self._pump_soon()

    def stop(self) -> None:
        """What is not claimed is given back; the lease says what becomes of the rest."""
        self._stopped = True
        for bid in list(self):
            if not bid.claimed:
                self._end(bid)
        for call in (self._call, self._timer):
            if call is not None and call.active():
                call.cancel()

    async def flush(self) -> None:
        """Until the database has heard what is given back, or cannot be asked."""
        await self._returns.once()

    # how it works

    def _turn(self, requester: Any, parts: Parts) -> tuple[bool, float, int]:
        bid = Bid(requester, parts, '', None)
        points = max(one.priority_of(requester) for one in parts)
        since = float(self._reactor.seconds()) - AGEING * points
        return not bid.is_running, since, next(self._numbers)

    def _new_key(self, requester: Any) -> str:
        name = name_of(requester)
        key = name if name not in self.owners else f'{name}#{next(self._numbers)}'
        self._keys.add(key)
        return key

    def _begin_anew(self, bid: Bid) -> None:
        granted = bid.state is State.GRANTED
        self._drop_key(bid)
        bid.owner, bid.state, bid.again = self._new_key(bid.requester), State.NEW, False
        bid.tokens, bid.incarnation, bid.run = {}, '', bid.run + 1
        bid.lacks = None
        bid.doubtful = False
        self._due[bid] = None
        for semaphore in bid.parts if granted else ():
            semaphore.revoked(bid.requester)

    def _end(self, bid: Bid) -> None:
        before, bid.state = bid.state, State.OVER
        mine = self._bids[id(bid.requester)]
        mine.remove(bid)
        if not mine:
            del self._bids[id(bid.requester)]
        self._due.pop(bid, None)
        if before is State.ASKING:
            return  # the answer says what there is to give back
        self._drop_key(bid)
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

    def _drop_key(self, bid: Bid) -> None:
        self._keys.discard(bid.owner)

    def _rename(self, bid: Bid) -> None:
        """A request's units are its build's now."""
        name = name_of(bid.requester)
        if bid.owner.partition('#')[0] == name:
            return
        old, bid.owner = bid.owner, self._new_key(bid.requester)
        self._keys.discard(old)
        self._returns.rename(bid.incarnation, old, bid.owner)

    # asking

    def _ask_soon(self, bids: Iterable[Bid]) -> None:
        for bid in bids:
            self._due[bid] = None
        self._pump_soon()

    def _pump_soon(self) -> None:
        idle = self._call is None or not self._call.active()
        if self._due and idle and not self._stopped:
            self._call = self._reactor.callLater(0, self._pump)

    def _pump(self) -> None:
        self.lease.need()
        incarnation = self.lease.incarnation
        if incarnation is None or self._stopped or self._held:
            return
        self._set_timer()
        for bid in sorted(self._due, key=_turn):
            if len(self._asking) >= AT_ONCE:
                return
            del self._due[bid]
            if bid.state is State.NEW and not self._is_near(bid):
                continue  # it is asked when one of those before it is served
            self._asking.add((bid, bid.run))
            before, bid.state = bid.state, State.ASKING
            asking = defer.ensureDeferred(self._ask(bid, before, incarnation))
            asking.addErrback(failed, f'asking for the shared locks of {bid.owner}')

    def _is_near(self, bid: Bid) -> bool:
        """Few enough stand in the line of each of its locks before it."""
        return all(
            sum(other.turn < bid.turn for other in self if one in other.parts and other.stands)
            < WINDOW
            for one in bid.parts
        )

    async def _ask(self, bid: Bid, before: State, incarnation: str) -> None:
        owner, run, answer = bid.owner, bid.run, None
        try:
            answer = await self._store.take(
                incarnation,
                owner,
                bid.wants,
                priority=max(one.priority_of(bid.requester) for one in bid.parts),
                running=bid.is_running,
            )
        except LostLeaseError:
            self.lease.need()
        except BalancerError as e:
            say(f'the shared locks of {owner} cannot be asked for: {e}')
        except Exception:
            failed(Failure(), f'asking for the shared locks of {owner}')
        finally:
            self._asking.discard((bid, run))
            if bid.run == run:  # else the lease was lost, with all that this could have been
                self._answered(bid, before, incarnation, answer)
            self._pump_soon()

    def _answered(self, bid: Bid, before: State, incarnation: str, answer: Any) -> None:
        if bid.state is State.OVER:
            bid.incarnation = incarnation
            self._drop_key(bid)
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
            self._let_near(semaphore)

    def _refuse(self, bid: Bid, incarnation: str, answer: Refused) -> None:
        bid.state, bid.incarnation, bid.doubtful = State.WAITS, incarnation, False
        again, bid.again = bid.again, False
        refused, bid.refused = bid.refused, None
        if again:
            self._ask_soon([bid])
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
        ahead = next((bid for bid in self if _waits_as(bid, answer.ahead)), None)
        for key, tried in tries.items():
            if tried + 1 >= WINDOW:
                continue
            if ahead is not None:
                self._ask_for(key, ahead, tried + 1)
            elif key != answer.lock:
                self._ask_next(key, tried + 1)

    def _ask_next(self, key: LockKey, tried: int) -> None:
        """The first that waits for it, and is not known to lack another lock."""
        waits = [
            bid
            for bid in self
            if bid.state is State.WAITS and bid.concerns(key) and bid.lacks in {None, key}
        ]
        if waits:
            self._ask_for(key, min(waits, key=_turn), tried)

    def _ask_for(self, key: LockKey, bid: Bid, tried: int) -> None:
        bid.tries[key] = tried
        self._ask_soon([bid])

    def _let_near(self, semaphore: SharedSemaphore) -> None:
        """Those that were too far behind to be asked."""
        far = [one for one in self if one.state is State.NEW and semaphore in one.parts]
        self._ask_soon(sorted(far, key=_turn)[:WINDOW])

    # what nobody says

    def _set_timer(self) -> None:
        if (self._timer is None or not self._timer.active()) and not self._stopped:
            after = POLL * (0.8 + 0.4 * self._random.random())
            self._timer = self._reactor.callLater(after, self._poll)

    def _poll(self) -> None:
        """A message may be lost, and the protocol passes over whoever does not ask."""
        self._timer = None
        self._ask_soon(bid for bid in self if bid.state in {State.NEW, State.WAITS})
        self._remind()
        if self._bids:
            self._set_timer()

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


def _waits_as(bid: Bid, owner: str) -> bool:
    return bid.state is State.WAITS and bid.owner == owner


def _turn(bid: Bid) -> Any:
    return bid.turn
