# SPDX-License-Identifier: GPL-2.0-or-later
"""LockSights: every lock of this master, who holds it and who waits for it, at this moment."""

from __future__ import annotations

from collections.abc import Container
from collections.abc import Iterable
from collections.abc import Iterator
from itertools import islice
from typing import Any

import attrs
from buildbot.locks import BaseLockId
from buildbot.locks import LockAccess

from buildbot_balancer.availability.text import clean
from buildbot_balancer.cluster.elsewhere import Elsewhere
from buildbot_balancer.cluster.elsewhere import Others
from buildbot_balancer.cluster.sharedsemaphore import SharedSemaphore
from buildbot_balancer.cluster.want import LockKey
from buildbot_balancer.explain import lock as words
from buildbot_balancer.explain.sights import LockSight
from buildbot_balancer.explain.sights import ShareSight
from buildbot_balancer.locks.door import Door
from buildbot_balancer.locks.door import access_of
from buildbot_balancer.locks.picture import Picture
from buildbot_balancer.locks.picture import Share
from buildbot_balancer.master.definition import Definition
from buildbot_balancer.master.definition import definitions
from buildbot_balancer.master.distribution.wishes import Wish
from buildbot_balancer.master.locks.ledger import Ledger
from buildbot_balancer.master.locks.party import Party
from buildbot_balancer.master.locks.reallocks import Place
from buildbot_balancer.master.locks.reservations import Pair
from buildbot_balancer.master.locks.reservations import Reservation

SHOWN = 1000  # waiters of one lock
LONGEST = 200  # characters of a lock's name
STARTS = '(about to start)'
TURN = '(its turn)'


class LockSights:
    """A lock has one row for each worker, group or branch where somebody holds it or waits for it.
    One that nobody uses anywhere has one row, with `group` '' and `held` 0, while the config names
    it; its `max` is that of a part for which the config says nothing else. So a thousand idle
    workers cost nothing; an idle part of a lock can be asked for by name. All costs what is held
    and waits, and one look at each lock of the config.

    `held` are the units that nobody else can have: an exclusive holder has them all, and those
    that are kept for one that is about to start count. Holders come in the order in which they
    came; `since` is when they claimed, or when it was reserved for them, and None for who held it
    before the Balancer ran. Waiters come in the order of the lock's line: builds and steps that
    run, then pending requests. Buildbot's own locks have no line for requests, and in ours a
    request stands for one lock at a time: the others that were looked at come last, by age. A
    request behind others of its builder that nobody has looked at waits for them, and is not
    shown. Of a lock that several masters share holders and waiters of the others are shown as they
    were some seconds ago; `elsewhere` knows them.
    """

    def __init__(self, master: Any, ledger: Ledger, elsewhere: Elsewhere | None = None) -> None:
        self._master = master
        self._ledger = ledger
        self._elsewhere = elsewhere

    def all(self) -> list[LockSight]:
        """By name and group."""
        rows = self._used()
        named = {row.name for row in rows}
        rows += [_idle(found[0]) for name, found in self._defined().items() if name not in named]
        return sorted(rows, key=_by_name)

    def named(self, name: str, group: str | None = None) -> list[LockSight]:
        """None of a lock, or a part of it, that there is not."""
        rows = self._used(name, group)
        if rows:
            return sorted(rows, key=_by_name)
        defined = self._defined().get(name, [])
        if not group:
            return [] if self._used(name) else [_idle(one) for one in defined[:1]]
        return [_idle_part(one, group, limit) for one in defined for limit in one.limits(group)][:1]

    def for_pairs(self, pairs: Iterable[Pair], request: Any = None) -> str:
        """Who holds these locks, as a part of a sentence; '' where nobody uses them.

        `pairs`: real locks as one worker has them, and accesses; `request`: who wants them.
        """
        places: dict[int, Place] = {}
        for lock, access in pairs:
            own = lock.known_for(request, access) if isinstance(lock, Door) else lock
            place = None if own is None else self._ledger.locks.place(own)
            if place is not None:
                places[id(place)] = place
        return words.held_by(self._sight(place) for place in places.values())

    def awaited_by(self, request: int) -> list[LockSight]:
        """What was in the way of a pending request when it was looked at last."""
        wished = self._ledger.wishes.of_request(request)
        return [sight for key in wished for sight in self.named(*key)]

    # how it works

    def _defined(self) -> dict[str, list[Definition]]:
        return definitions(self._master, self._ledger.locks.known())

    def _used(self, name: str | None = None, group: str | None = None) -> list[LockSight]:
        found = {
            id(place): place
            for place in self._places()
            if name in (None, place.lockName) and group in (None, place.group)
        }
        rows = [self._sight(place) for place in found.values()]
        rows += self._only_elsewhere(name, group, {_key(place) for place in found.values()})
        return [row for row in rows if row.holders or row.waiters]

    def _only_elsewhere(
        self, name: str | None, group: str | None, here: Container[LockKey | None]
    ) -> Iterator[LockSight]:
        """What nobody of this master holds or waits for."""
        shared = {
            known: [one for one in found if getattr(one.lockid, 'shared', False)]
            for known, found in self._defined().items()
            if name in (None, known)
        }
        if self._elsewhere is None or not any(shared.values()):
            return
        for key, others in self._elsewhere.all().items():
            limits = [limit for one in shared.get(key.name, ()) for limit in one.limits(key.group)]
            if limits and group in (None, key.group) and key not in here:
                sight = LockSight(name=key.name, group=key.group, max=limits[0], held=0)
                yield self._with_others(sight, others)

    def _places(self) -> Iterator[Place]:
        ledger = self._ledger
        yield from ledger.locks.busy()
        for reservation in ledger.reservations:  # what is reserved on Buildbot's own
            for lock, _ in (*reservation.build_locks, *reservation.worker_locks):
                place = None if isinstance(lock, Door) else ledger.locks.place(lock)
                if place is not None:
                    yield place

    def _sight(self, place: Place) -> LockSight:
        picture = place.picture()
        sight = LockSight(
            name=clean(place.lockName, LONGEST),
            group=place.group,
            max=picture.limit,
            held=_units(picture),
            holders=tuple(self._holders(place, picture)),
            waiters=tuple(islice(self._waiters(place, picture), SHOWN)),
        )
        key = _key(place)
        if key is not None and self._elsewhere is not None:
            return self._with_others(sight, self._elsewhere.of(key))
        return attrs.evolve(sight, summary=words.summary(sight, self._ledger.now()))

    def _with_others(self, sight: LockSight, others: Others) -> LockSight:
        holders = (*sight.holders, *others.holders)
        waiters = (*sight.waiters, *others.waiters)
        alone = any(one.mode == words.EXCLUSIVE for one in holders)
        whole = LockSight(
            name=sight.name,
            group=sight.group,
            max=sight.max,
            held=max(sight.max or 0, 1) if alone else sum(one.count for one in holders),
            holders=tuple(sorted(holders, key=_since)),
            waiters=tuple(sorted(waiters, key=_since))[:SHOWN],
        )
        return attrs.evolve(whole, summary=words.summary(whole, self._ledger.now()))

    def _holders(self, place: Place, picture: Picture) -> list[ShareSight]:
        builds: dict[int, list[Reservation]] = {}  # those for which a worker holds it
        found = []
        for share in picture.held:
            party, since = Party.of(share.requester), share.since
            if party.worker is not None and party.builder is None:
                own = builds.setdefault(id(share.requester), self._on(share.requester, place))
                if own:
                    since = own[0].claimed_at
                    party = _for_worker(Party.of(own.pop(0)), party)
            found.append(party.sight(party.what, share.mode, share.count, since))
        found += [self._offered(share) for share in picture.offered]
        return sorted(found, key=_since)

    def _on(self, worker: Any, place: Place) -> list[Reservation]:
        """Builds on the worker that claimed this lock for it."""
        return [
            one
            for one in self._ledger.reservations.on(worker)
            if any(lock.lockName == place.lockName for lock, _ in one.claimed)
        ]

    def _offered(self, share: Share) -> ShareSight:
        """Kept for one that is about to start, or to claim."""
        party, since = Party.of(share.requester), share.since
        if not share.reserved:
            return party.sight(f'{party.what} {TURN}', share.mode, share.count, since)
        if party.buildrequestid is not None:
            reservation = self._ledger.reservations.of_request(party.buildrequestid)
            since = since if reservation is None else reservation.since
        return party.sight(f'{party.what} {STARTS}', share.mode, share.count, since)

    def _waiters(self, place: Place, picture: Picture) -> Iterator[ShareSight]:
        seen = set()
        for share in picture.offered:
            seen.add(Party.of(share.requester).buildrequestid)
        for share in (*picture.waiting, *picture.never):
            party = Party.of(share.requester)
            seen.add(party.buildrequestid)
            yield party.sight(party.what, share.mode, share.count, share.since)
        key = (place.lockName, place.group)
        for wish in self._ledger.wishes.of(key):
            mode, count = self._wanted(wish, place.lockName)
            if wish.request not in seen and not _could_have(picture, mode, count):
                party = self._pending(wish)
                yield party.sight(party.what, mode, count, wish.since[key])

    def _wanted(self, wish: Wish, name: str) -> tuple[str, int]:
        """As the builder's config says, where it can be read."""
        builder = self._master.botmaster.builders.get(wish.builder)
        locks = None if builder is None else builder.config.locks
        for one in locks if isinstance(locks, (list, tuple)) else ():
            access = access_of(one) if isinstance(one, (BaseLockId, LockAccess)) else None
            if access is not None and access.lockid.name == name:
                return access.mode, access.count
        return 'counting', 1

    def _pending(self, wish: Wish) -> Party:
        builderid = self._ledger.builderids.get(wish.builder)
        return Party.of_request(wish.request, wish.builder, builderid)


def _key(place: Place) -> LockKey | None:
    """Of a lock that several masters share."""
    return place.key if isinstance(place, SharedSemaphore) else None


def _since(share: ShareSight) -> float:
    return 0.0 if share.since is None else share.since


def _units(picture: Picture) -> int:
    if picture.exclusive:
        return max(picture.limit or 0, 1)
    return picture.taken


def _could_have(picture: Picture, mode: str, count: int) -> bool:
    """It is free by now, and its request waits to be looked at."""
    if picture.exclusive or picture.waiting:
        return False
    if mode == words.EXCLUSIVE:
        return not picture.taken
    return picture.limit is None or picture.taken + count <= picture.limit


def _for_worker(build: Party, worker: Party) -> Party:
    return attrs.evolve(build, what=f'{worker.what} ({build.what})', worker=worker.worker)


def _idle(definition: Definition) -> LockSight:
    name, limit = clean(definition.name, LONGEST), definition.lockid.maxCount
    said = words.free_everywhere(name, limit, definition.where, alike=definition.alike)
    return LockSight(name=name, group='', max=limit, held=0, summary=said)


def _idle_part(definition: Definition, group: str, limit: int | None) -> LockSight:
    sight = LockSight(name=clean(definition.name, LONGEST), group=group, max=limit, held=0)
    return attrs.evolve(sight, summary=words.summary(sight, 0.0))


def _by_name(sight: LockSight) -> tuple[str, str]:
    return sight.name, sight.group
