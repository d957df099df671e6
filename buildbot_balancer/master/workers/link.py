# SPDX-License-Identifier: GPL-2.0-or-later
"""Link: the master's end of the way to the reporters, on the connections that are there anyway.

Put on each connection, and taken off when the service leaves:

- PB and LocalWorker: the instance attribute ``perspective_balancer`` of the connection;
- msgpack: a receiver at a fixed id in the protocol's ``command_id_to_command_map``.

Each receiver belongs to one connection, so a worker can speak only for itself.
"""

from __future__ import annotations

from typing import Any
from typing import Callable

from twisted.internet import defer
from twisted.python.failure import Failure

from buildbot_balancer.availability.answer import Answer
from buildbot_balancer.availability.report import Report
from buildbot_balancer.errors import WireError
from buildbot_balancer.log import failed
from buildbot_balancer.log import say
from buildbot_balancer.master import compat
from buildbot_balancer.master.workers.fleet import Fleet
from buildbot_balancer.master.workers.throttle import RATE
from buildbot_balancer.master.workers.throttle import Throttle

METHOD = 'perspective_balancer'
COMMAND_ID = 'buildbot-balancer'
SEND_TIMEOUT = 10.0  # seconds; a call on a lost connection may never be answered
HELD_BACK = 'held-back'
REFUSED = 'refused'
TAKEN = 'taken'
COMPLAIN_EVERY = 60.0  # seconds between two lines about one worker's reports


class _MsgpackReceiver:
    """Stands where Buildbot expects a remote command."""

    def __init__(self, line: _Line) -> None:
        self._line = line

    def remote_update_msgpack(self, args: Any) -> None:
        """Raises WireError, whose sentence is all that the worker gets to see."""
        payload = args[0] if isinstance(args, (list, tuple)) and len(args) == 1 else args
        problem = self._line.receive(payload)
        if problem:
            raise WireError(problem)


class _Line:
    """One connection of one worker."""

    def __init__(self, link: Link, worker: Any, connection: Any) -> None:
        self._link = link
        self.worker = worker
        self.connection = connection
        self.last: Answer | None = None  # what its reporter was told last
        self.word = ''  # the owner's word that the last report brought
        self.reporter: Any = None  # of a LocalWorker, put there by us
        self.throttle = Throttle(link.reactor, lambda payload: link.hear(self, payload))

    def open(self) -> None:
        receivers = compat.commands_by_id(self.connection)
        if receivers is None:
            setattr(self.connection, METHOD, self.receive)
        else:
            receivers[COMMAND_ID] = _MsgpackReceiver(self)

    def close(self) -> None:
        receivers = compat.commands_by_id(self.connection)
        if receivers is None:
            self.connection.__dict__.pop(METHOD, None)
        else:
            receivers.pop(COMMAND_ID, None)

    def receive(self, payload: Any) -> str | None:
        """What to say to the sender; None where the report was fine."""
        return self._link.receive(self, payload)


class Link:
    """`reported(end)` is called for each report: taken, refused, or held back for another."""

    def __init__(
        self,
        master: Any,
        reactor: Any,
        fleet: Fleet,
        reported: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._master = master
        self._reported = reported
        self.reactor = reactor
        self._fleet = fleet
        self._lines: dict[str, _Line] = {}
        self._consumer: Any = None
        self._said: dict[tuple[str, str], float] = {}

    async def start(self) -> None:
        self._consumer = await self._master.mq.startConsuming(
            self._connected, ('workers', None, 'connected')
        )
        for worker in compat.all_workers(self._master):
            if worker.conn is not None:
                self.adopt(worker, worker.conn)

    async def stop(self, *, take_leave: bool) -> None:
        """`take_leave`: the master goes on without us, and promises nothing any more.

        Otherwise the connections are about to end, and the receivers stay on them: a report that
        still comes is for nobody, and no error.
        """
        if self._consumer is not None:
            self._consumer.stopConsuming()
            self._consumer = None
        lines = list(self._lines.values())
        self._lines.clear()
        for line in lines:
            line.throttle.stop()
        if take_leave:
            greeted = [line for line in lines if line.last is not None]
            # what a reporter sent before it hears of it comes before its acknowledgement
            await defer.DeferredList([self._tell(one, Answer(serving=False)) for one in greeted])
            for line in lines:
                line.close()
        for line in lines:
            if line.reporter is not None and line.reporter.parent is not None:
                await defer.maybeDeferred(line.reporter.disownServiceParent)

    def _connected(self, key: Any, message: Any) -> None:
        # of any master: only connections of this one are found
        worker = compat.worker_named(self._master, message['name'])
        if worker is not None and worker.conn is not None:
            self.adopt(worker, worker.conn)

    def adopt(self, worker: Any, connection: Any) -> None:
        """Opens a line on a connection that is up, and greets a worker that has a reporter."""
        known = self._lines.get(worker.workername)
        if known is not None and known.connection is connection:
            return
        line = self._lines[worker.workername] = _Line(self, worker, connection)
        line.open()
        connection.notifyOnDisconnect(lambda: self._lost(line))
        if self._fleet.attached(worker, connection):
            line.last = Answer()
            self._tell(line, line.last)
        elif compat.is_null(connection):
            self._attach_local(line)

    def _attach_local(self, line: _Line) -> None:
        # a LocalWorker has no buildbot.tac that could do it
        from buildbot_balancer.reporter import attach

        try:
            line.reporter = attach(line.connection.worker, reactor=self.reactor)
        except Exception:
            failed(Failure(), f'while giving {line.worker.workername} a reporter')

    def _lost(self, line: _Line) -> None:
        line.throttle.stop()
        if self._lines.get(line.worker.workername) is line:
            del self._lines[line.worker.workername]
            self._fleet.detached(line.worker)

    def receive(self, line: _Line, payload: Any) -> str | None:
        if self._lines.get(line.worker.workername) is not line:
            return None  # the connection was replaced, or the service takes its leave
        if not line.throttle.admits(payload):
            self._reported(HELD_BACK)
            self._say_often(line.worker.workername)
            return None
        return self.hear(line, payload)

    def hear(self, line: _Line, payload: Any) -> str | None:
        if self._lines.get(line.worker.workername) is not line:
            return None
        try:
            report = self._fleet.hear(line.worker, line.connection, payload)
        except WireError as e:
            self._reported(REFUSED)
            self._complain(line.worker.workername, str(e))
            return str(e)
        self._reported(TAKEN)
        if report is not None:
            self._answer(line, report)
        return None

    def counted(self, worker: Any) -> None:
        """The number of builds on `worker` changed: its reporter is told without asking."""
        line = self._lines.get(worker.workername)
        if line is not None and line.last is not None:
            self._answer(line, None)

    def _answer(self, line: _Line, report: Report | None) -> None:
        """Tells a reporter what is new to it; a heartbeat that brings nothing new needs no word.

        While it drains it is told each time, so that a lost message costs one heartbeat.
        """
        answer = self._fleet.answer(line.worker)
        known = report is not None and report.word == line.word and not report.draining
        if known and _same(line.last, answer):
            return
        if report is not None:
            line.word = report.word
        line.last = answer
        self._tell(line, answer)

    def _tell(self, line: _Line, answer: Answer) -> defer.Deferred[Any]:
        told: defer.Deferred[Any] = defer.maybeDeferred(
            line.connection.remotePrint, message=answer.to_wire()
        )
        told.addTimeout(SEND_TIMEOUT, self.reactor)
        told.addErrback(lambda _: None)  # the connection is lost; its end is told elsewhere
        return told

    def _complain(self, name: str, problem: str) -> None:
        if self._may_say('refused', name):
            say(f'a report of worker {name} was refused, the last good one stays: {problem}')

    def _say_often(self, name: str) -> None:
        if self._may_say('often', name):
            say(f'worker {name} reports too often: the newest is read {RATE:g} times a second')

    def _may_say(self, what: str, name: str) -> bool:
        now = self.reactor.seconds()
        if now - self._said.get((what, name), -COMPLAIN_EVERY) < COMPLAIN_EVERY:
            return False
        self._said[what, name] = now
        return True


def _same(one: Answer | None, other: Answer) -> bool:
    if one is None:
        return False
    return (one.incarnation, one.running, one.mood, one.free) == (
        other.incarnation,
        other.running,
        other.mood,
        other.free,
    )
