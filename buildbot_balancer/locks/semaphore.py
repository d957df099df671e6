# SPDX-License-Identifier: GPL-2.0-or-later
"""Semaphore: units that are held, and a fair line of those that wait for some."""

# Misuse is an AssertionError, as with Buildbot's own locks.
# ruff: noqa: S101

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from typing import Callable

from buildbot.locks import LockAccess
from buildbot.util.eventual import eventually
from buildbot.util.subscription import Subscription
from buildbot.util.subscription import SubscriptionPoint
from twisted.internet import defer

from buildbot_balancer.explain.event import HELD
from buildbot_balancer.explain.event import WAITED
from buildbot_balancer.locks import requester as who
from buildbot_balancer.locks.holds import Hold
from buildbot_balancer.locks.holds import Units
from buildbot_balancer.locks.holds import check
from buildbot_balancer.locks.holds import covers
from buildbot_balancer.locks.line import Line
from buildbot_balancer.locks.line import State
from buildbot_balancer.locks.line import Waiter
from buildbot_balancer.locks.picture import Picture
from buildbot_balancer.locks.picture import Share
from buildbot_balancer.locks.turns import Turns


class Semaphore:
    """All that Buildbot asks of a real lock; `maxCount` None is no limit.

    Whenever the first waiter can be served, its units are offered to it: it is woken, and they
    count as taken until it claims them, stops waiting, or is seen to wait for another lock.
    Buildbot counts waiters where this counts their units, so that nobody light overtakes a heavy
    one. An operation costs O(log n) at most in the number of waiters.
    """

    shared = False  # with other masters

    def __init__(self, name: str, maxCount: int | None = 1, turns: Turns | None = None) -> None:
        self.lockName = name
        self.group = ''  # the worker, group or branch that it counts for, as people are told
        self.maxCount = maxCount
        self.turns = turns or Turns()
        self.description = f'<Semaphore({name}, {maxCount})>'
        self.release_subs = SubscriptionPoint(f'{name} opens')
        # No reference leads from here back to this object, so that it goes with its last user.
        self.used: Callable[[Semaphore], None] = _nothing  # called when `idle` may have changed
        self.opened: Callable[[Semaphore], None] = _nothing  # called as subscribers are
        # (HELD or WAITED, requester, seconds): somebody has let go, or has what it waited for. A
        # request's wait ends with a reservation, and is told by whoever reserves.
        self.told: Callable[[str, Any, float], None] = _quiet
        self._held = Units()
        self._offered = Units()
        self._holds: dict[int, list[Hold]] = {}
        self._line = Line()

    def __repr__(self) -> str:
        return self.description

    # what Buildbot asks

    def isAvailable(self, requester: Any, access: Any) -> bool:
        if not access.count:
            return True
        waiter = self._line.of(requester)
        if waiter is not None and waiter.state is State.OFFERED:
            return covers(waiter.access, access) or self._fits(access, waiter)
        first = self._first()
        if first is not None and first is not waiter:
            turn = self.turns.last(requester) if waiter is None else waiter.turn
            if first.turn < turn:
                return False
        return self._fits(access)

    def claim(self, owner: Any, access: Any) -> None:
        assert owner is not None
        # the same lock twice in one list: Buildbot asks for both and then claims both
        counted = self._may_claim(owner, access)
        assert counted or self._has(owner, access), 'ask for isAvailable() first'
        check(access)
        if not access.count:
            return
        self._line.forget_turn(owner)
        waiter = self._line.of(owner)
        if waiter is not None:
            self._leave(waiter)
        now = self.turns.clock()
        self._hold(Hold(owner, access, counted, now))
        self._wake()
        if waiter is not None and not waiter.reserved:
            self.told(WAITED, owner, now - waiter.since)

    def release(self, owner: Any, access: Any) -> None:
        assert isinstance(access, LockAccess)
        hold = self._hold_of(owner, access)
        if hold is None:
            return
        self._holds[id(owner)].remove(hold)
        if not self._holds[id(owner)]:
            del self._holds[id(owner)]
        if hold.counted:
            self._held.add(access, -1)
            self.told(HELD, owner, self.turns.clock() - hold.since)
        self._opened()

    def isOwner(self, owner: Any, access: Any) -> bool:
        return self._hold_of(owner, access) is not None

    def waitUntilMaybeAvailable(self, owner: Any, access: Any) -> defer.Deferred[Any]:
        assert isinstance(access, LockAccess)
        if self.isAvailable(owner, access):
            return defer.succeed(self)
        return self.join(owner, access)

    def stopWaitingUntilAvailable(self, owner: Any, access: Any, d: Any) -> None:
        """Quiet for one that does not wait any more: Buildbot stops some waits twice."""
        waiter = self._line.of(owner)
        pending = None if waiter is None else waiter.deferred
        if pending is not None and pending is not d:
            assert getattr(d, 'called', False), (
                'The supplied deferred must be a result of waitUntilMaybeAvailable()'
            )
            return  # an earlier wait of the same owner
        self.give_up(owner)
        if pending is not None:
            pending.callback(None)

    def subscribeToReleases(self, callback: Callable[[], Any]) -> Subscription:
        """Called after each release, and after whatever else may let in who was refused."""
        return self.release_subs.subscribe(callback)

    def setMaxCount(self, count: int | None) -> None:
        before, self.maxCount = self.maxCount, count
        if count is None or (before is not None and count > before):
            self._line.limit_raised(self.never)
            self._opened()
        else:
            self._take_back_offers()
            self._wake()
            self.used(self)

    # what others can ask

    def never(self, access: Any) -> bool:
        """No release can ever make room for it: it is more than the limit."""
        if self.maxCount is None or access.mode != 'counting':
            return False
        return bool(access.count > self.maxCount)

    def join(self, owner: Any, access: Any, via: Any = None) -> defer.Deferred[Any]:
        """Waits in any case; the Deferred fires when it is the owner's turn."""
        waiter = self._line.of(owner)
        if waiter is None:
            waiter = self._line.make(owner, access, self.turns, via)
        else:
            assert waiter.deferred is None, (
                'waitUntilMaybeAvailable() must not be called again before the previous deferred'
                ' fired'
            )
            if waiter.state is State.OFFERED:
                self._offered.add(waiter.access, -1)
            waiter.access, waiter.via, waiter.reserved, waiter.quiet = access, via, False, False
        self._line.enqueue(waiter)
        self.used(self)
        result: defer.Deferred[Any] = defer.Deferred()
        waiter.deferred = result
        if self._first() is not waiter:  # who refused an offer is not offered it at once
            self._wake()
        return result

    def line_up(self, requester: Any, access: Any, via: Any = None) -> None:
        """Waits without being called: `release_subs` tell that it may be its turn.

        Its units are kept for it then, until it claims, reserves or gives them up.
        """
        before = self._line.of(requester)
        if before is not None and before.quiet and not before.reserved and before.access != access:
            self._leave(before)  # a reconfig has changed what it wants
            before = None
        if before is None:
            waiter = self._line.make(requester, access, self.turns, via)
            waiter.quiet = True
            self._line.enqueue(waiter)
            self.used(self)
            self._wake()

    def step_out(self, requester: Any) -> None:
        """Ends what `line_up` began; a reservation goes on."""
        waiter = self._line.of(requester)
        if waiter is not None and waiter.quiet and not waiter.reserved:
            self._leave(waiter)
            self._opened()

    def has(self, requester: Any) -> bool:
        """It waits here, or has reserved something."""
        return self._line.of(requester) is not None

    def is_offered(self, requester: Any) -> bool:
        """It is its turn."""
        waiter = self._line.of(requester)
        return waiter is not None and waiter.state is State.OFFERED

    def reserve(self, requester: Any, access: Any, via: Any = None) -> bool:
        """Keeps units until `requester` claims them or gives them up; a lower limit leaves them."""
        if not self.isAvailable(requester, access):
            return False
        if access.count:
            waiter = self._line.of(requester)
            if waiter is not None and waiter.reserved and covers(waiter.access, access):
                return True  # twice in one list: the larger of the two is kept
            if waiter is None:
                waiter = self._line.make(requester, access, self.turns, via)
            elif waiter.state is State.OFFERED:
                self._offered.add(waiter.access, -1)
            waiter.access, waiter.via, waiter.reserved = access, via, True
            self._offer(waiter)
            self.used(self)
        return True

    def withdraw(self, requester: Any) -> None:
        """Undoes a `reserve` in the turn in which it was made."""
        waiter = self._line.of(requester)
        if waiter is not None and waiter.quiet:
            waiter.reserved = False  # it was its turn, and still is
        elif waiter is not None:
            self._leave(waiter)
            self.used(self)

    def hand_over(self, old: Any, new: Any) -> bool:
        """What `old` waits for or has reserved is `new`'s now: a request has become a build."""
        waiter = self._line.of(old)
        if waiter is None or old is new:
            return waiter is not None
        self.give_up(new)
        self._line.hand_over(waiter, new)
        self.used(self)
        return True

    def give_up(self, requester: Any) -> None:
        """It waits no more, and nothing is kept for it; whom that lets in is woken."""
        self._line.forget_turn(requester)
        waiter = self._line.of(requester)
        if waiter is not None:
            self._leave(waiter)
            self._opened()

    def adopt(self, owner: Any, access: Any, of: Semaphore | None = None) -> None:
        """`owner` holds it in fact, whatever the limit says: nothing is granted by this. `of`:
        where it does so since it claimed it.
        """
        since = None if of is None else of.since(owner, access)
        now = self.turns.clock()
        self._hold(Hold(owner, access, True, now if since is None else since))
        self._take_back_offers()

    def since(self, owner: Any, access: Any) -> float | None:
        """When it was claimed."""
        hold = self._hold_of(owner, access)
        return None if hold is None else hold.since

    def came_through(self, via: Any) -> list[Any]:
        """Who of the line came through that door."""
        return [one.requester for one in self._line if one.via is via]

    def move(self, requester: Any, to: Semaphore) -> None:
        """It waits, or keeps its reservation, in another semaphore now, at the turn that it had."""
        old = self._line.of(requester)
        if old is None or to is self:
            return
        if old.quiet and not old.reserved:
            # whoever lined it up knows it here only, and lines it up there when it looks again
            self.release_subs.deliver()
            return
        self._leave(old)
        if old.deferred is not None:
            new = Waiter(requester, old.access, old.turn, old.since, old.via, old.deferred)
            to._line.enqueue(to._line.adopt(new))
        elif not (old.reserved and to.reserve(requester, old.access, old.via)):
            # it was woken already: it will ask there, and wait there if it must
            to._line.keep_turn(old)
        self._opened()
        to._opened()

    @property
    def idle(self) -> bool:
        return not self._holds and not self._line

    def picture(self) -> Picture:
        line = sorted(self._line, key=lambda one: one.turn)
        waiting = [one for one in line if one.state is not State.OFFERED]
        return Picture(
            name=self.lockName,
            limit=self.maxCount,
            held=_shares(one for holds in self._holds.values() for one in holds if one.counted),
            offered=_shares(one for one in line if one.state is State.OFFERED),
            waiting=_shares(one for one in waiting if not self.never(one.access)),
            never=_shares(one for one in waiting if self.never(one.access)),
        )

    # how it works

    def _may_claim(self, owner: Any, access: Any) -> bool:
        return self.isAvailable(owner, access)

    def _hold(self, hold: Hold) -> None:
        self._holds.setdefault(id(hold.requester), []).append(hold)
        if hold.counted:
            self._held.add(hold.access)
        self.used(self)

    def _hold_of(self, owner: Any, access: Any) -> Hold | None:
        """One that counts nothing first, so that the units stay taken until the last."""
        found = [hold for hold in self._holds.get(id(owner), ()) if hold.access == access]
        return min(found, key=lambda hold: hold.counted, default=None)

    def _has(self, owner: Any, access: Any) -> bool:
        holds = self._holds.get(id(owner), ())
        return any(hold.counted and covers(hold.access, access) for hold in holds)

    def _fits(self, access: Any, own: Waiter | None = None) -> bool:
        """Beside all that is taken; `own`: but for what is offered to this one."""
        counting = self._held.counting + self._offered.counting
        exclusive = self._held.exclusive + self._offered.exclusive
        if own is not None and own.access.mode == 'counting':
            counting -= own.access.count
        elif own is not None:
            exclusive -= 1
        if access.mode != 'counting':
            return not exclusive and not counting
        return not exclusive and (self.maxCount is None or counting + access.count <= self.maxCount)

    def _opened(self) -> None:
        self._wake()
        self.release_subs.deliver()
        self.opened(self)
        self.used(self)

    def _first(self) -> Waiter | None:
        return self._line.first(self.never)

    def _wake(self) -> None:
        first = self._first()
        while first is not None and self._fits(first.access):
            self._offer(first)
            first = self._first()

    def _offer(self, waiter: Waiter) -> None:
        self._line.served(waiter)
        self._offered.add(waiter.access)
        if waiter.deferred is not None:
            deferred, waiter.deferred = waiter.deferred, None
            eventually(self._fire, waiter, deferred)
        elif waiter.quiet and not waiter.reserved:
            eventually(self.release_subs.deliver)

    def _fire(self, waiter: Waiter, deferred: defer.Deferred[Any]) -> None:
        deferred.callback(self)
        undecided = waiter.state is State.OFFERED and not waiter.reserved
        if undecided and who.went_elsewhere(waiter.requester, deferred):
            self._line.keep_turn(waiter)
            self._leave(waiter)
            self._opened()

    def _take_back_offers(self) -> None:
        """The limit is lower, or more is held: what is offered and not claimed yet must fit."""
        offered = [w for w in self._line if w.state is State.OFFERED and not w.reserved]
        for waiter in sorted(offered, key=lambda one: one.turn, reverse=True):
            if not self._fits(waiter.access, waiter):
                self._offered.add(waiter.access, -1)
                self._line.enqueue(waiter)

    def _leave(self, waiter: Waiter) -> None:
        if waiter.state is State.OFFERED:
            self._offered.add(waiter.access, -1)
        self._line.leave(waiter)


def _shares(entries: Iterable[Hold | Waiter]) -> tuple[Share, ...]:
    return tuple(
        Share(one.requester, one.access.mode, one.access.count, one.since, _is_reserved(one))
        for one in entries
    )


def _is_reserved(entry: Hold | Waiter) -> bool:
    return isinstance(entry, Waiter) and entry.reserved


def _nothing(_: Semaphore) -> None:
    """Nobody wants to know."""


def _quiet(kind: str, requester: Any, seconds: float) -> None:
    """Nobody wants to know."""
