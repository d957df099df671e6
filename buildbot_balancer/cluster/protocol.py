# SPDX-License-Identifier: GPL-2.0-or-later
"""Protocol: who may have what, decided from what the database says and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

import attrs

from buildbot_balancer.cluster.want import EXCLUSIVE
from buildbot_balancer.cluster.want import LockKey
from buildbot_balancer.cluster.want import Want

AGEING = 600.0  # seconds of waiting that count as one point of priority
STALE = 15.0  # seconds after which one that does not ask any more holds up nobody
PATIENCE = 600.0  # seconds of waiting after which all locks of a waiter are kept from newcomers
NAMED = 3  # holders, in a sentence


@attrs.frozen(kw_only=True)
class Held:
    """Units of one lock that an owner has; `master` and `incarnation` say where it lives."""

    lock: LockKey
    incarnation: str
    master: str
    owner: str
    mode: str
    count: int
    token: int
    granted_at: float  # by the database's clock, as all times here


@attrs.frozen(kw_only=True)
class Party:
    """Somebody who wants units of one or more locks, by their ids; `number` breaks ties."""

    owner: str
    wants: Mapping[int, Want]
    since: float
    asked_at: float
    number: int = 0
    master: str = ''
    priority: int = 0
    running: bool = False  # it holds other units while it waits

    @property
    def turn(self) -> tuple[bool, float, int]:
        """Smaller is earlier; all gain alike by waiting, so the order of two never changes."""
        return not self.running, self.since - AGEING * self.priority, self.number

    @property
    def is_never(self) -> bool:
        return any(want.is_never for want in self.wants.values())


@attrs.frozen
class Refusal:
    """`ahead`: the waiter whose turn comes before, if that is why."""

    lock: int
    because: str
    ahead: str = ''


def refusal(
    asking: Party, parties: Iterable[Party], held: Iterable[Held], now: float
) -> Refusal | None:
    """None: it may have all that it wants.

    Those whose turn comes before are served first, in thought. One that lacks units of a lock
    closes that lock for all behind it, so nobody light overtakes somebody heavy; where it has
    waited for long, it closes all its locks for those that hold nothing. One that has not asked
    for some time, and one that can never be served, holds up nobody.
    """
    heavy = next((lock for lock, want in asking.wants.items() if want.is_never), None)
    if heavy is not None:
        return Refusal(heavy, f'{_units(asking.wants[heavy])} are more than there ever are')
    use = _Use(held)
    lacking = use.lacking(asking)
    if lacking:
        return Refusal(lacking[0], use.who(lacking[0], asking.owner))
    closed, served = _serve_first(asking, _before(asking, parties, now), use, now)
    for lock in asking.wants:
        if lock in closed:
            first = closed[lock]
            return Refusal(lock, f'{_named(first)} waits for it and comes first', first.owner)
    lacking = use.lacking(asking)
    if lacking:
        why = f'{use.who(lacking[0], asking.owner)}, who comes first'
        return Refusal(lacking[0], why, served[lacking[0]].owner)
    return None


def _serve_first(
    asking: Party, before: Iterable[Party], use: _Use, now: float
) -> tuple[dict[int, Party], dict[int, Party]]:
    """By whom which locks are closed, and of which locks who is the first that is served."""
    closed: dict[int, Party] = {}
    served: dict[int, Party] = {}
    for party in before:
        missing = {*use.lacking(party), *(lock for lock in party.wants if lock in closed)}
        if not missing:
            use.serve(party)
            for lock in party.wants:
                served.setdefault(lock, party)
        elif party.since < now - PATIENCE and not asking.running:
            missing = {*party.wants}
        for lock in missing:
            closed.setdefault(lock, party)
    return closed, served


def _before(asking: Party, parties: Iterable[Party], now: float) -> list[Party]:
    first = (
        party
        for party in parties
        if party.owner != asking.owner
        and party.turn < asking.turn
        and party.asked_at >= now - STALE
        and not party.is_never
    )
    return sorted(first, key=lambda party: party.turn)


class _Use:
    """Who has what, in fact and in thought."""

    def __init__(self, held: Iterable[Held]) -> None:
        self._users: dict[int, list[tuple[str, str, str, int]]] = {}
        for one in held:
            self._add(one.lock.id, one.owner, one.master, one.mode, one.count)

    def serve(self, party: Party) -> None:
        for lock, want in party.wants.items():
            if any(user[0] == party.owner for user in self._users.get(lock, ())):
                continue  # the same request on another master
            self._add(lock, party.owner, party.master, want.mode, want.count)

    def lacking(self, party: Party) -> list[int]:
        return [lock for lock, want in party.wants.items() if not self._fits(lock, want, party)]

    def who(self, lock: int, without: str) -> str:
        """A part of a sentence."""
        users = [user for user in self._users.get(lock, ()) if user[0] != without]
        said = ', '.join(_at(owner, master) for owner, master, _, _ in users[:NAMED])
        more = f' and {len(users) - NAMED} more' if len(users) > NAMED else ''
        return f'taken by {said}{more}'

    def _fits(self, lock: int, want: Want, party: Party) -> bool:
        others = [user for user in self._users.get(lock, ()) if user[0] != party.owner]
        if want.mode == EXCLUSIVE:
            return not others
        if any(mode == EXCLUSIVE for _, _, mode, _ in others):
            return False
        taken = sum(count for _, _, _, count in others)
        return want.limit is None or taken + want.count <= want.limit

    def _add(self, lock: int, owner: str, master: str, mode: str, count: int) -> None:
        self._users.setdefault(lock, []).append((owner, master, mode, count))


def together(parties: Iterable[Party]) -> list[Party]:
    """With one turn for each owner: a request may wait on several masters, for other workers."""
    found: dict[str, list[Party]] = {}
    for party in parties:
        found.setdefault(party.owner, []).append(party)
    return [one for same in found.values() for one in _alike(same)]


def _alike(same: Sequence[Party]) -> Iterator[Party]:
    for party in same:
        yield attrs.evolve(
            party,
            since=min(one.since for one in same),
            number=min(one.number for one in same),
            priority=max(one.priority for one in same),
            running=any(one.running for one in same),
        )


def _named(party: Party) -> str:
    return _at(party.owner, party.master)


def _at(owner: str, master: str) -> str:
    return f'{owner} on {master}' if master else owner


def _units(want: Want) -> str:
    return 'all units' if want.mode == EXCLUSIVE else f'{want.count} units'
