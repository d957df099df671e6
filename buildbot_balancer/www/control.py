# SPDX-License-Identifier: GPL-2.0-or-later
"""Control over HTTP, by JSON-RPC as Buildbot's own: from a method's name to what it does."""

from __future__ import annotations

from collections.abc import Awaitable
from collections.abc import Mapping
from typing import Any
from typing import Callable
from typing import ClassVar

import attrs
from buildbot.data.exceptions import InvalidControlException
from buildbot.www.rest import JSONRPC_CODES
from buildbot.www.rest import BadJsonRpc2
from twisted.internet import defer

from buildbot_balancer.availability.text import clean
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.www.endpoint import Endpoint
from buildbot_balancer.www.endpoint import part
from buildbot_balancer.www.parameters import Parameters
from buildbot_balancer.www.parameters import read

REFUSED = -32000  # JSON-RPC: an error of the application; the parameters were right


@attrs.frozen
class Action:
    """`run` gets the Balancer's Control, the id of what is controlled, and what is asked."""

    run: Callable[[Any, int, Parameters], Awaitable[Any]]
    parameters: tuple[str, ...] = ()


class ControlEndpoint(Endpoint):
    actions: ClassVar[Mapping[str, Action]] = {}

    def target(self, kwargs: dict[str, Any]) -> int:
        """The id of what is controlled; raises InvalidPathError."""
        raise NotImplementedError

    def control(
        self, action: str, args: dict[str, Any], kwargs: dict[str, Any]
    ) -> defer.Deferred[Any]:
        return defer.ensureDeferred(self._act(action, args, kwargs))

    async def _act(self, name: str, args: dict[str, Any], kwargs: dict[str, Any]) -> Any:
        action = self.actions.get(name)
        if action is None:
            raise InvalidControlException(
                f'"{clean(name[:400], 40)}" is no action here (one of {", ".join(self.actions)})'
            )
        await self.sight.look()
        target = self.target(kwargs)
        control = part(self.master, 'control')
        try:
            asked = read(name, args, action.parameters, self.master.reactor.seconds())
        except BalancerError as e:
            raise BadJsonRpc2(str(e), JSONRPC_CODES['invalid_params']) from e
        try:
            return await action.run(control, target, asked)
        except BalancerError as e:
            raise BadJsonRpc2(str(e), REFUSED) from e
