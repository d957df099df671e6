# SPDX-License-Identifier: GPL-2.0-or-later
"""Asking: takes of the database for bids, a few at a time, in their turns."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any
from typing import Callable

from twisted.internet import defer
from twisted.python.failure import Failure

from buildbot_balancer.cluster.bid import Bid
from buildbot_balancer.cluster.bid import State
from buildbot_balancer.cluster.bids import Bids
from buildbot_balancer.cluster.bids import by_turn
from buildbot_balancer.cluster.lease import Lease
from buildbot_balancer.cluster.lost import LostLeaseError
from buildbot_balancer.cluster.store import Store
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.log import failed
from buildbot_balancer.log import say

POLL = 4.0  # seconds; the protocol passes over who has not asked for some more
AT_ONCE = 4  # takes that are under way; Buildbot's own queries need threads, too

# bid, its state before, the run that asked, and what the database said, None where it did not
Answered = Callable[[Bid, State, str, Any], None]


class Asking:
    """`polled()` is called at each slow beat. `lease` is set by who makes both."""

    lease: Lease

    def __init__(
        self,
        reactor: Any,
        store: Store,
        random: Random,
        bids: Bids,
        answered: Answered,
        polled: Callable[[], None],
    ) -> None:
        self._reactor = reactor
        self._store = store
        self._random = random
        self._bids = bids
        self._answered = answered
        self._polled = polled
        self._due: dict[Bid, None] = {}
        self._under_way: set[tuple[Bid, int]] = set()  # with their runs
        self._call: Any = None
        self._timer: Any = None
        self._stopped = False
        self._held = False

    @property
    def quiet(self) -> bool:
        return not (self._due or self._under_way)

    def soon(self, bids: Iterable[Bid]) -> None:
        for bid in bids:
            self._due[bid] = None
        self.go()

    def go(self) -> None:
        idle = self._call is None or not self._call.active()
        if self._due and idle and not self._stopped:
            self._call = self._reactor.callLater(0, self._pump)

    def drop(self, bid: Bid) -> None:
        self._due.pop(bid, None)

    def hold(self, *, held: bool) -> None:
        """While `held` nothing is asked."""
        self._held = held
        if not held:
            self.go()

    def forget(self) -> None:
        """What is under way: a database that is not reached may never answer."""
        self._under_way.clear()
        self._held = False

    def stop(self) -> None:
        self._stopped = True
        for call in (self._call, self._timer):
            if call is not None and call.active():
                call.cancel()

    def _pump(self) -> None:
        self.lease.need()
        incarnation = self.lease.incarnation
        if incarnation is None or self._stopped or self._held:
            return
        self._set_timer()
        for bid in sorted(self._due, key=by_turn):
            if len(self._under_way) >= AT_ONCE:
                return
            del self._due[bid]
            if bid.state is State.NEW and not self._bids.is_near(bid):
                continue  # it is asked when one of those before it is served
            self._under_way.add((bid, bid.run))
            before, bid.state = bid.state, State.ASKING
            asking = defer.ensureDeferred(self._ask(bid, before, incarnation))
            asking.addErrback(failed, f'asking for the shared locks of {bid.owner}')

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
            self._under_way.discard((bid, run))
            if bid.run == run:  # else the lease was lost, with all that this could have been
                self._answered(bid, before, incarnation, answer)
            self.go()

    # what nobody says

    def _set_timer(self) -> None:
        if (self._timer is None or not self._timer.active()) and not self._stopped:
            after = POLL * (0.8 + 0.4 * self._random.random())
            self._timer = self._reactor.callLater(after, self._poll)

    def _poll(self) -> None:
        """A message may be lost, and the protocol passes over whoever does not ask."""
        self._timer = None
        self.soon(bid for bid in self._bids if bid.state in {State.NEW, State.WAITS})
        self._polled()
        if self._bids:
            self._set_timer()
