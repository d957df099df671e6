# SPDX-License-Identifier: GPL-2.0-or-later
"""Lock: who holds it since when, and who is next, in one line.

`held_sentence` is the part of a sentence that says why a request waits for a lock:
``lock host[esx1] 2 of 2 held by win #41, win #42``; `held_by` is the same for several locks.
`summary` stands for itself: ``host[esx1]: 2 of 2 held by win #41 (for 4 min), win #42; next:
request 7 of win, then request 9 of win``.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence

from buildbot_balancer.availability.when import span_text
from buildbot_balancer.explain.sights import LockSight
from buildbot_balancer.explain.sights import ShareSight

NAMED = 5  # holders, or waiters, by name in one sentence
LOCKS = 3  # in one sentence
EXCLUSIVE = 'exclusive'


def title(sight: LockSight) -> str:
    """``host[esx1]``, or ``licence`` where there are no groups."""
    return f'{sight.name}[{sight.group}]' if sight.group else sight.name


def held_sentence(sight: LockSight) -> str:
    """Begins in the midst of a sentence, and has no full stop."""
    said = f'lock {title(sight)} {_taken(sight)}'
    if sight.holders:
        return f'{said} by {_listed([one.what for one in sight.holders])}'
    if sight.waiters:  # what is free waits for somebody who wants more
        return f'{said}, next is {sight.waiters[0].what}'
    return said


def held_by(sights: Iterable[LockSight]) -> str:
    """'' where nobody holds any, or waits for it."""
    in_use = (one for one in sights if one.holders or one.waiters)
    said = list(dict.fromkeys(held_sentence(one) for one in in_use))
    more = len(said) - LOCKS
    return ' and '.join(said[:LOCKS]) + (f' and {more} more locks' if more > 0 else '')


def summary(sight: LockSight, now: float) -> str:
    said = f'{title(sight)}: {_taken(sight)}'
    if sight.holders:
        said += f' by {_listed([_holder(one, now) for one in sight.holders])}'
    if sight.waiters:
        first, *others = [one.what for one in sight.waiters]
        said += f'; next: {first}'
        said += f', then {_listed(others)}' if others else ''
    return said


def free_everywhere(name: str, limit: int | None, where: str, *, alike: bool = True) -> str:
    """`where`: ``on every worker``; '' for a lock that is one for all. `alike`: the limit is the
    same everywhere.
    """
    if not alike:
        return f'{name}: free {where}'
    units = 'no limit' if limit is None else f'{limit} unit{"" if limit == 1 else "s"}'
    return f'{name}: free {where} ({units} each)' if where else f'{name}: free ({units})'


def _taken(sight: LockSight) -> str:
    return f'{sight.held} held' if sight.max is None else f'{sight.held} of {sight.max} held'


def _holder(share: ShareSight, now: float) -> str:
    remarks = []
    if share.mode == EXCLUSIVE:
        remarks.append('alone')
    elif share.count != 1:
        remarks.append(f'{share.count} units')
    if share.since is not None:
        remarks.append(f'for {span_text(now - share.since)}')
    return f'{share.what} ({", ".join(remarks)})' if remarks else share.what


def _listed(names: Sequence[str]) -> str:
    names = list(dict.fromkeys(names))
    more = len(names) - NAMED
    return ', '.join(names[:NAMED]) + (f' and {more} more' if more > 0 else '')
