# SPDX-License-Identifier: GPL-2.0-or-later
"""Pictures: sights as text for other masters, of bounded size, and back.

A master of another version may read them: a field that it does not know is left out, and a thing
that lacks one, or has one of another type, is left out as a whole.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import attrs

from buildbot_balancer.explain.sights import BuilderSight
from buildbot_balancer.explain.sights import Count
from buildbot_balancer.explain.sights import RequestSight
from buildbot_balancer.explain.sights import WorkerSight
from buildbot_balancer.explain.sights import to_json

WORKERS = 'workers'
REQUESTS = 'requests'
BUILDERS = 'builders'
KINDS = (WORKERS, REQUESTS, BUILDERS)

MOST = {WORKERS: 2000, REQUESTS: 500, BUILDERS: 2000}  # of one master

_CLASSES: dict[str, type[Any]] = {
    WORKERS: WorkerSight,
    REQUESTS: RequestSight,
    BUILDERS: BuilderSight,
}
_IDS = {WORKERS: 'workerid', REQUESTS: 'buildrequestid', BUILDERS: 'builderid'}
_TYPES: dict[str, tuple[type, ...]] = {
    'int': (int,),
    'str': (str,),
    'bool': (bool,),
    'float': (int, float),
    'None': (type(None),),
    'tuple[Count, ...]': (list,),
}


@attrs.frozen
class Picture:
    """Things of one kind as one master sees them, by id, in its order."""

    things: Mapping[int, Any] = attrs.field(factory=dict)


def written(kind: str, sights: Iterable[Any]) -> str:
    """The first of them. ASCII, so that any database can keep it."""
    things = [to_json(one) for one in itertools.islice(sights, MOST[kind])]
    return json.dumps({'things': things}, separators=(',', ':'))


def read(kind: str, content: str) -> Picture:
    """An empty one where it cannot be read."""
    try:
        things = json.loads(content)['things']
    except (ValueError, LookupError, TypeError):
        return Picture()
    if not isinstance(things, list):
        return Picture()
    sights = _sights(_CLASSES[kind], things)
    return Picture({getattr(one, _IDS[kind]): one for one in sights})


def _sights(made: type[Any], things: list[Any]) -> Iterator[Any]:
    for thing in things:
        known = _known(made, thing)
        if known is not None:
            yield made(**known)


def _known(made: type[Any], thing: Any) -> dict[str, Any] | None:
    """The fields that this version has; None where one does not fit, or is missing."""
    if not isinstance(thing, Mapping):
        return None
    found: dict[str, Any] = {}
    for field in attrs.fields(made):
        if field.name not in thing:
            if field.default is attrs.NOTHING:
                return None
            continue
        value = thing[field.name]
        if not _is(value, str(field.type).split(' | ')):
            return None
        found[field.name] = _counts(value) if isinstance(value, list) else value
    return found


def _is(value: Any, types: Iterable[str]) -> bool:
    for name in types:
        fits = isinstance(value, _TYPES[name])
        if fits and (name == 'bool' or not isinstance(value, bool)):
            return True
    return False


def _counts(value: list[Any]) -> tuple[Count, ...]:
    found = []
    for one in value:
        names = one.get('names', []) if isinstance(one, Mapping) else None
        if isinstance(names, list) and _is(one.get('code'), ('str',)):
            count = one.get('count')
            number = count if _is(count, ('int',)) else 0
            found.append(Count(code=one['code'], count=number, names=tuple(map(str, names))))
    return tuple(found)
