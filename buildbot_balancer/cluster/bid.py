# SPDX-License-Identifier: GPL-2.0-or-later
"""Bid: what one requester asks the database for, all or none."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import TYPE_CHECKING
from typing import Any
from typing import Callable

import attrs
from buildbot.process.buildrequest import BuildRequest
from buildbot.process.buildstep import BuildStep

from buildbot_balancer.cluster.want import LockKey
from buildbot_balancer.cluster.want import Taken
from buildbot_balancer.cluster.want import Want
from buildbot_balancer.locks import requester as who

if TYPE_CHECKING:
    from buildbot_balancer.cluster.sharedsemaphore import SharedSemaphore

Parts = dict['SharedSemaphore', Any]  # what is wanted of each, as an access


class State(enum.Enum):
    NEW = 'new'  # the database has not been asked, or by a run that has lost its lease
    ASKING = 'asking'
    WAITS = 'waits'  # it was refused, and the database keeps its place
    GRANTED = 'granted'
    OVER = 'over'


@attrs.define(eq=False)
class Bid:
    """`owner`: its key in the database, no other bid's of this master while it is in use there.

    `tries`: of those that wait for a lock that has opened it is asked as the first, second...
    `turn`: smaller is asked first, as the database orders those that wait. `again`: it is to be
    asked once more, for something was given back while it was asked. `claimed`: of these the
    requester has claimed its units.
    """

    requester: Any
    parts: Parts
    owner: str
    turn: Any
    state: State = State.NEW
    incarnation: str = ''  # the run of this master that asked
    run: int = 0  # rises when that has lost its lease
    tokens: dict[LockKey, int] = attrs.field(factory=dict)
    claimed: set[SharedSemaphore] = attrs.field(factory=set)
    again: bool = False
    doubtful: bool = False  # an answer was lost: it may have been granted
    lost: bool = False  # the lease went while it was claimed
    over: bool = False  # its build was found to be finished by the last sweep
    refused: Callable[[], Any] | None = None  # called once, at the next refusal
    lacks: LockKey | None = None  # what it was last refused for, until that opens
    tries: dict[LockKey, int] = attrs.field(factory=dict)  # asked for these opened, as which

    @property
    def is_in_hand(self) -> bool:
        return self.state is State.GRANTED and not self.lost

    @property
    def is_settled(self) -> bool:
        """The database has been heard."""
        return self.state in {State.WAITS, State.GRANTED}

    @property
    def stands(self) -> bool:
        """In the line of the database, or will in a moment."""
        return self.state in {State.WAITS, State.ASKING}

    @property
    def is_running(self) -> bool:
        """A worker stands still while it waits, or a build that may hold the very lock."""
        return not who.is_pending(self.requester) or who.is_waited_for(self.requester)

    @property
    def wants(self) -> list[Want]:
        return [
            Want(*one.key, limit=one.maxCount, mode=access.mode, count=access.count)
            for one, access in self.parts.items()
        ]

    def concerns(self, key: LockKey) -> bool:
        return any(one.key == key for one in self.parts)


def name_of(requester: Any) -> str:
    """Who holds it or waits, for people and for other masters: ``request:17``, ``build:23``,
    ``build:23:step:41``.
    """
    if isinstance(requester, BuildRequest):
        return f'request:{requester.id}'
    build = who.build_of(requester)
    if build is None:
        return f'other:{type(requester).__name__}'
    buildid = getattr(build, 'buildid', None)
    if buildid is None:  # it has just been made
        request = next(iter(build.requests), None)
        return f'request:{getattr(request, "id", None)}'
    if isinstance(requester, BuildStep):
        return f'build:{buildid}:step:{requester.stepid}'
    return f'build:{buildid}'


def listed(bids: Iterable[Bid]) -> str:
    """``build:23 (host[esx1], version[main]), build:24 (licence)``."""
    found = []
    for bid in bids:
        locks = ', '.join(_title(one.key) for one in bid.parts)
        found.append(f'{bid.owner} ({locks})')
    return ', '.join(found)


def _title(key: LockKey) -> str:
    return f'{key.name}[{key.group}]' if key.group else key.name


def state_of(answer: Any) -> State:
    """What an answer of the database makes of a bid; None is one that was lost."""
    if answer is None:
        return State.NEW
    return State.GRANTED if isinstance(answer, Taken) else State.WAITS
