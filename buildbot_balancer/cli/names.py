# SPDX-License-Identifier: GPL-2.0-or-later
"""Names: what a person called something, found among what the master has."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from buildbot_balancer.availability.text import clean
from buildbot_balancer.cli.faults import ServerError
from buildbot_balancer.cli.faults import UnknownNameError
from buildbot_balancer.cli.server import Item
from buildbot_balancer.cli.server import Server


def builder(server: Server, name: str) -> Item:
    return _one(server, 'builders', 'builder', name)


def worker(server: Server, name: str) -> Item:
    return _one(server, 'workers', 'worker', name)


def locks(server: Server, name: str) -> list[Item]:
    """All groups of a lock; one of them where it is called as sentences do, ``host[esx1]``."""
    items = server.many('locks').items
    found = [item for item in items if item.get('name') == name]
    found = found or [item for item in items if lock_name(item) == name]
    if not found:
        raise unknown('lock', name, (item.get('name') for item in items))
    return found


def lock_name(item: Item) -> str:
    group = item.get('group')
    return f'{item.get("name")}[{group}]' if group else str(item.get('name'))


def request(server: Server, number: int) -> Item:
    found = server.one('requests', number)
    if found is not None:
        return found
    builders = {item.get('name') for item in server.many('builders').items}
    if str(number) in builders:
        raise UnknownNameError(
            f'there is no request {number}; for the builder of that name say --builder {number}'
        )
    raise UnknownNameError(f'there is no request {number}')


def _one(server: Server, collection: str, what: str, name: str) -> Item:
    items = server.many(collection).items
    for item in items:
        if item.get('name') == name:
            return item
    raise unknown(what, name, (item.get('name') for item in items))


def unknown(what: str, name: str, known: Iterable[object]) -> UnknownNameError:
    """With the nearest name that there is."""
    by_lower = {one.lower(): one for one in known if isinstance(one, str)}
    near = difflib.get_close_matches(name.lower(), [*by_lower], n=1, cutoff=0.5)
    hint = f'; did you mean "{clean(by_lower[near[0]], 100)}"?' if near else ''
    return UnknownNameError(f'there is no {what} "{clean(name, 100)}"{hint}')


def number(item: Item, key: str) -> int:
    """An id of something that was found; raises ServerError."""
    found = item.get(key)
    if not isinstance(found, int):
        raise ServerError(f'the master gives {clean(str(item.get("name")), 100)} no {key}')
    return found
