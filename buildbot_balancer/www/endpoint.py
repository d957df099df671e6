# SPDX-License-Identifier: GPL-2.0-or-later
"""Endpoint: what all of ours have in common.

A path can be registered only once in the life of a master, so the Balancer is looked up at each
call: it may have left the config meanwhile, or be another one.
"""

from __future__ import annotations

from typing import Any

from buildbot.data import base
from buildbot.data.exceptions import InvalidPathError
from twisted.internet import defer

from buildbot_balancer.availability.text import clean
from buildbot_balancer.explain.sights import BuilderSight
from buildbot_balancer.explain.sights import WorkerSight
from buildbot_balancer.master import compat
from buildbot_balancer.master.choice.engine import NAME

_HIGHEST = 2**31 - 1  # ids in Buildbot's tables; a database refuses to look for more
_SHOWN = 80  # characters of a name that nobody knows


def part(master: Any, name: str) -> Any:
    """The running Balancer's `sight`, `history` or `control`; raises InvalidPathError."""
    found = getattr(compat.service_named(master, NAME), name, None)
    if found is None:
        raise InvalidPathError(
            'no Balancer runs on this master: its config has no util.Balancer, or it is starting'
        )
    return found


def unknown(what: str, name: object) -> InvalidPathError:
    """A 404 with a sentence; `name` is what somebody typed."""
    return InvalidPathError(f'there is no {what} {clean(str(name)[: 10 * _SHOWN], _SHOWN)}')


def is_id(number: int) -> bool:
    return 0 < number <= _HIGHEST


class Endpoint(base.Endpoint):  # type: ignore[misc]  # Buildbot has no types
    def get(self, resultSpec: Any, kwargs: dict[str, Any]) -> defer.Deferred[Any]:
        return defer.ensureDeferred(self._look_and_answer(resultSpec, kwargs))

    async def _look_and_answer(self, spec: Any, kwargs: dict[str, Any]) -> Any:
        await self.sight.look()  # what other masters see
        return await self.answer(spec, kwargs)

    async def answer(self, spec: Any, kwargs: dict[str, Any]) -> Any:
        raise NotImplementedError

    @property
    def sight(self) -> Any:
        return part(self.master, 'sight')

    @property
    def history(self) -> Any:
        found = part(self.master, 'history')
        if found.problem:
            raise InvalidPathError(f'there is no history: {found.problem}')
        return found

    def worker(self, kwargs: dict[str, Any]) -> WorkerSight:
        """A configured one, by id or name; raises InvalidPathError."""
        found: WorkerSight | None = None
        if 'workerid' in kwargs:
            if is_id(kwargs['workerid']):
                found = self.sight.worker(kwargs['workerid'])
        else:
            named = (one for one in self.sight.workers() if one.name == kwargs['workername'])
            found = next(named, None)
        if found is None:
            raise unknown('worker', kwargs.get('workerid', kwargs.get('workername')))
        return found

    def builder(self, kwargs: dict[str, Any]) -> BuilderSight:
        """A configured one, by id or name; raises InvalidPathError."""
        for found in self.sight.builders():
            if kwargs.get('builderid', found.builderid) != found.builderid:
                continue
            if kwargs.get('buildername', found.name) == found.name:
                return found  # type: ignore[no-any-return]  # the facade is looked up at run time
        raise unknown('builder', kwargs.get('builderid', kwargs.get('buildername')))
