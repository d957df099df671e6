# SPDX-License-Identifier: GPL-2.0-or-later
"""Link: the worker's end of the way to the master, on the connection that is there anyway.

The reporter never speaks first: a master with a Balancer greets a worker that announces a
reporter, and a stock master hears nothing that it would not understand. Everything that is put
on Buildbot's objects is an instance attribute, put on in `open` and taken off in `close`:

- ``bot.remote_print``: the master's messages come through it, on every protocol;
- ``bot.remote_getCommands``: announces the reporter while the worker attaches;
- ``bf.gotPerspective`` (PB): the first moment at which a report can be sent.
"""

from __future__ import annotations

from typing import Any
from typing import Callable

from twisted.application.internet import ClientService
from twisted.internet import defer
from twisted.internet import error
from twisted.python.failure import Failure
from twisted.spread import pb

from buildbot_balancer.availability.announcement import COMMAND
from buildbot_balancer.availability.answer import PREFIX
from buildbot_balancer.availability.answer import Answer
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.errors import WireError
from buildbot_balancer.log import say

METHOD = 'balancer'  # PB and LocalWorker: perspective_balancer
COMMAND_ID = 'buildbot-balancer'  # msgpack; Buildbot's own command ids are numbers
COMMAND_VERSION = '1'


class NotConnectedError(BalancerError):
    """There is no connection on which a report could be sent now."""


class Link:
    """Calls `on_answer(answer)`, `on_ready()` and `on_lost()`; subclasses know one protocol."""

    lost_errors: tuple[type[Exception], ...] = (
        defer.TimeoutError,
        defer.CancelledError,
        error.ConnectionClosed,
        NotConnectedError,
    )

    def __init__(
        self,
        worker: Any,
        on_answer: Callable[[Answer], None],
        on_ready: Callable[[], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._worker = worker
        self._bot = worker.bot
        self._on_answer = on_answer
        self._on_ready = on_ready
        self._on_lost = on_lost

    def open(self) -> None:
        self._bot.remote_print = self._print
        self._bot.remote_getCommands = self._commands

    def close(self) -> None:
        for name in ('remote_print', 'remote_getCommands'):
            self._bot.__dict__.pop(name, None)

    def send(self, payload: str) -> defer.Deferred[Any]:
        """Fires when the master has taken it; fails where there is no connection, or it refuses."""
        raise NotImplementedError

    def is_up(self) -> bool:
        """There is a connection, whoever is at its other end."""
        raise NotImplementedError

    def is_lost(self, why: Failure) -> bool:
        """`send` failed for want of a connection; otherwise the master said no."""
        return why.check(*self.lost_errors) is not None

    def commands(self) -> int:
        """Commands of builds that run on this worker now."""
        return sum(1 for b in self._bot.builders.values() if b.protocol_command is not None)

    def _print(self, message: Any) -> Any:
        if not isinstance(message, str) or not message.startswith(PREFIX):
            return type(self._bot).remote_print(self._bot, message)
        try:
            answer = Answer.from_wire(message)
        except WireError as e:
            say(f'a message of the master was ignored: {e}')
            return None
        if answer.seq < 0 and answer.serving:
            self._greeted()
        self._on_answer(answer)
        return None

    def _commands(self) -> Any:
        return {**type(self._bot).remote_getCommands(self._bot), COMMAND: COMMAND_VERSION}

    def _greeted(self) -> None:
        """The master listens on the connection that is up now."""


class PbLink(Link):
    lost_errors = (*Link.lost_errors, pb.PBConnectionLost, pb.DeadReferenceError)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._factory = self._worker.bf

    def open(self) -> None:
        super().open()
        self._factory.gotPerspective = self._got_perspective

    def close(self) -> None:
        super().close()
        self._factory.__dict__.pop('gotPerspective', None)

    def is_up(self) -> bool:
        perspective = self._factory.perspective
        return perspective is not None and not perspective.broker.disconnected

    def send(self, payload: str) -> defer.Deferred[Any]:
        if not self.is_up():
            return defer.fail(NotConnectedError('not connected'))
        sent: defer.Deferred[Any] = self._factory.perspective.callRemote(METHOD, payload)
        return sent

    def _got_perspective(self, perspective: Any) -> None:
        type(self._factory).gotPerspective(self._factory, perspective)
        perspective.notifyOnDisconnect(lambda _: self._on_lost())
        self._on_ready()


class MsgpackLink(Link):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._protocol: Any = None

    def is_up(self) -> bool:
        self._greeted()
        return self._protocol is not None

    def is_lost(self, why: Failure) -> bool:
        from buildbot_worker.msgpack import RemoteWorkerError

        return why.check(RemoteWorkerError) is None

    def send(self, payload: str) -> defer.Deferred[Any]:
        if self._protocol is None:
            return defer.fail(NotConnectedError('not connected'))
        message = {'op': 'update', 'command_id': COMMAND_ID, 'args': [payload]}
        sent: defer.Deferred[Any] = defer.maybeDeferred(self._protocol.get_message_result, message)
        return sent

    def commands(self) -> int:
        return len(self._bot.protocol_commands)

    def _greeted(self) -> None:
        for service in self._worker.services:
            if isinstance(service, ClientService):
                service.whenConnected().addCallback(self._connected)

    def _connected(self, protocol: Any) -> None:
        if self._protocol is protocol:
            return
        self._protocol = protocol
        protocol.is_closed.addBoth(self._closed, protocol)

    def _closed(self, result: Any, protocol: Any) -> Any:
        if self._protocol is protocol:
            self._protocol = None
            self._on_lost()
        return result


class LocalLink(Link):
    """The worker of a LocalWorker lives in the master's own process."""

    def is_up(self) -> bool:
        return self._receiver() is not None

    def send(self, payload: str) -> defer.Deferred[Any]:
        receive = self._receiver()
        if receive is None:
            return defer.fail(NotConnectedError('no master listens'))
        sent: defer.Deferred[Any] = defer.maybeDeferred(receive, payload)
        return sent

    def _receiver(self) -> Any:
        return getattr(getattr(self._worker.parent, 'conn', None), f'perspective_{METHOD}', None)


def is_local(worker: Any) -> bool:
    return not hasattr(worker, 'bf')


def make_link(worker: Any, **callbacks: Any) -> Link:
    """`worker`: the service in ``buildbot.tac``, or the one inside a LocalWorker."""
    if is_local(worker):
        return LocalLink(worker, **callbacks)
    if hasattr(worker.bot, 'protocol_commands'):
        return MsgpackLink(worker, **callbacks)
    return PbLink(worker, **callbacks)
