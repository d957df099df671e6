# SPDX-License-Identifier: GPL-2.0-or-later
"""Reporter: samples, decides, and sends on change at once and as a heartbeat."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any
from typing import Callable

from twisted.application import service
from twisted.internet import defer
from twisted.internet import task
from twisted.internet import threads
from twisted.python.failure import Failure

from buildbot_balancer.availability.answer import Answer
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.report import LEAST_INTERVAL
from buildbot_balancer.availability.report import MOST_INTERVAL
from buildbot_balancer.availability.report import Report
from buildbot_balancer.log import failed
from buildbot_balancer.log import say
from buildbot_balancer.reporter import leftovers
from buildbot_balancer.reporter.automatic import Automatic
from buildbot_balancer.reporter.clockstep import ClockStep
from buildbot_balancer.reporter.decide import Opinion
from buildbot_balancer.reporter.decide import decide
from buildbot_balancer.reporter.desk import Desk
from buildbot_balancer.reporter.hearing import Hearing
from buildbot_balancer.reporter.link import NotConnectedError
from buildbot_balancer.reporter.link import is_local
from buildbot_balancer.reporter.link import make_link
from buildbot_balancer.reporter.page.page import LocalPage
from buildbot_balancer.reporter.sampler import Sampler
from buildbot_balancer.reporter.sampler import default_probes
from buildbot_balancer.reporter.says import Says
from buildbot_balancer.reporter.status import Status
from buildbot_balancer.reporter.ways import Ways

LOOK_EVERY = 0.25  # seconds between two looks at the owner's file: a stat() each
COMPLAIN_EVERY = 60.0  # seconds between two lines about refused reports
SEND_TIMEOUT = 10.0  # seconds; a call on a lost connection may never be answered
SEARCH_EVERY = 2.0  # seconds between two looks at all processes, also where they fail
RETRY_AFTER = 1.0  # seconds, while a master listens


class Reporter(service.Service):
    """One worker's reporter. `reactor`, `sampler` and `steady` are arguments for the tests;
    `steady`: seconds of a clock that never steps.
    """

    name = 'buildbot-balancer'

    def __init__(
        self,
        worker: Any,
        interval: float = 10.0,
        reactor: Any = None,
        sampler: Sampler | None = None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor as the_reactor

            reactor = the_reactor
        self._reactor = reactor
        usable = min(max(interval, LEAST_INTERVAL), MOST_INTERVAL)
        if interval != usable:
            say(f'the interval of {interval} s is taken as {usable:g} s')
        self._basedir = Path(worker.basedir).absolute()
        self._is_alone = not is_local(worker)  # else the process is a master's
        self._sampler = sampler or Sampler(default_probes(shared_process=not self._is_alone))
        self._link = make_link(
            worker, on_answer=self._answered, on_ready=self._ready, on_lost=self._lost
        )
        self._desk = Desk(self._basedir)
        self._page = LocalPage(self._basedir, reactor, lambda: self._shielded(self._look))
        self._ways = Ways(worker, self._basedir, reactor, steady, lambda: self._automatic.group)
        self._automatic = Automatic(
            self._basedir, usable, self._in_thread, steady, self._measured, [self._ways.helper]
        )
        self._clock_step = ClockStep(reactor, steady, lambda: self._shielded(self._stepped_back))
        self.incarnation = uuid.uuid4().hex
        self._seq = 0
        self._sent: str | None = None  # the last report, as it left
        self._values: dict[str, Any] = {}
        self._problem = ''
        self._complained_at = -COMPLAIN_EVERY
        self._opinion: Opinion | None = None
        self._said: tuple[Says, ...] = ()
        self._hearing = Hearing()
        self._left = 0
        self._sampling = False
        self._searching = False
        self._searched_at = -SEARCH_EVERY
        self._loops: dict[str, task.LoopingCall] = {}
        self._retry: Any = None

    def startService(self) -> None:
        super().startService()
        self._automatic.open()
        self._link.open()
        self._look()
        self._start_loop('beat', self._automatic.interval, now=True)
        self._start_loop('look', LOOK_EVERY, now=False)
        self._ways.open()
        if self._is_alone:
            self._clock_step.open()
        # Attached to a worker that is up already, so nobody will greet: knock.
        if self._link.is_up():
            self._hearing.knock()
        self._send()

    def stopService(self) -> Any:
        self._clock_step.close()
        for loop in self._loops.values():
            loop.stop()
        self._loops = {}
        self._automatic.close()
        closed = defer.gatherResults([self._ways.close(), self._page.close()])
        if self._retry is not None and self._retry.active():
            self._retry.cancel()
        self._link.close()
        self._desk.leave()
        super().stopService()
        return closed

    def _in_thread(self, function: Callable[..., Any], *args: Any) -> defer.Deferred[Any]:
        pool = self._reactor.getThreadPool()
        done: defer.Deferred[Any] = threads.deferToThreadPool(self._reactor, pool, function, *args)
        return done

    def _start_loop(self, name: str, seconds: float, *, now: bool) -> None:
        """In the place of the one with that name."""
        if name in self._loops:
            self._loops[name].stop()
        function = self._beat if name == 'beat' else self._look
        self._loops[name] = task.LoopingCall(self._shielded, function)
        self._loops[name].clock = self._reactor
        self._loops[name].start(seconds, now=now)

    def _stepped_back(self) -> None:
        """The clock was set back, and what waits for a time on it would wait too long."""
        say('the clock was set back; the reporter goes on')
        for loop in self._loops.values():
            loop.reset()
        self._ways.stepped_back()
        self._look()

    def _shielded(self, function: Callable[[], None]) -> None:
        try:
            function()
        except Exception:  # a worker goes on building whatever happens here
            failed(Failure(), 'in the reporter')

    # what the machine and its owner say

    def _look(self) -> None:
        """At the owner's files, and at the clock that may end a word."""
        new_word = self._desk.look()
        if new_word:
            self._hearing.new_word(self._seq + 1)
            self._left, self._searched_at = 0, -SEARCH_EVERY
        new_settings = self._look_at_settings()
        if self._hearing.promised and not self._is_free():
            self._search()
        self._decide(news=new_word or new_settings)
        self._ways.looked()

    def _look_at_settings(self) -> bool:
        try:
            new = self._automatic.look(self._reactor.seconds())
            page = self._automatic.settings.page
            self._page.follow(None if page is None else page.port)
        except Exception:  # the owner's word is heard all the same
            failed(Failure(), 'while looking at the settings')
            return False
        if new and self._loops:
            self._start_loop('beat', self._automatic.interval, now=True)
        return new

    def _decide(self, *, news: bool = False) -> None:
        now = self._reactor.seconds()
        try:
            self._said = self._automatic.says(now)
        except Exception:  # the owner's word is heard all the same
            failed(Failure(), 'while judging by the settings')
        before = self._published()
        self._opinion = decide(self._desk.word, now, free=self._is_free(), automatic=self._said)
        # the same answer to another word is news too: the master's promise is about one word
        if news or not self._published().is_old(before):
            self._send()
        self._write_status()

    def _measured(self) -> None:
        if self.running:
            self._shielded(self._decide)

    def _is_free(self) -> bool:
        return self._hearing.promised and self._hearing.empty and self._link.commands() == 0

    def _search(self) -> None:
        """For what builds have left on the machine, before anyone is told that it is free."""
        now = self._reactor.seconds()
        if self._searching or self._link.commands() or 0 <= now - self._searched_at < SEARCH_EVERY:
            return
        self._searching, self._searched_at = True, now
        word = self._desk.word.id
        found = self._in_thread(leftovers.find, self._basedir)
        found.addBoth(self._search_ended)
        found.addCallback(self._searched, word)
        found.addErrback(failed, 'while looking for processes of builds')

    def _search_ended(self, result: Any) -> Any:
        self._searching = False
        return result

    def _searched(self, pids: list[int], word: str) -> None:
        self._left = len(pids)
        if self.running and word == self._desk.word.id and self._hearing.promised:
            self._hearing.empty = not pids
            self._decide()

    def _beat(self) -> None:
        if self._sampling:  # a probe hangs: what it said is unknown by now
            self._values = {}
            self._automatic.measured(self._values)
            self._send()
            return
        self._sampling = True
        sampled = self._in_thread(self._sampler.sample, self._reactor.seconds())
        sampled.addBoth(self._sampled)
        sampled.addErrback(failed, 'while sampling')

    def _sampled(self, values: Any) -> None:
        self._sampling = False
        if isinstance(values, Failure):
            failed(values, 'while sampling')
            values = {}
        self._values = Report.usable(values, self._unusable)
        self._automatic.measured(self._values)
        if self.running:
            self._decide(news=True)

    def _unusable(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            say(f'what a probe says is taken as unknown: {problem}')

    # what goes to the master

    def report(self) -> Report:
        """The whole state, as it is now, and as far as it may leave the machine."""
        opinion = self._published()
        return Report(
            incarnation=self.incarnation,
            seq=self._seq,
            mood=opinion.mood,
            source=opinion.source,
            reason=opinion.reason,
            until=opinion.until,
            draining=opinion.draining,
            deadline=self._desk.word.seconds_to_deadline(self._reactor.seconds()),
            word=self._desk.word.id,
            interval=self._automatic.interval,
            commands=self._link.commands(),
            **{**self._values, **self._automatic.published(self._values)},
        )

    def _published(self) -> Opinion:
        opinion = self._opinion or Opinion(mood=Mood.EAGER, source='default')
        return opinion.published(details=self._automatic.settings.details)

    def _send(self) -> None:
        if not self._hearing.listening:
            return
        self._seq += 1
        self._sent = self.report().to_wire()
        sent = self._link.send(self._sent)
        sent.addTimeout(SEND_TIMEOUT, self._reactor)
        sent.addCallbacks(self._taken, self._not_taken)
        sent.addErrback(failed, 'while sending a report')
        self._write_status()

    def _taken(self, result: Any) -> None:
        if isinstance(result, str) and result:
            self._refused(result)
        else:
            self._hearing.taken()

    def _not_taken(self, why: Failure) -> None:
        if why.check(NotConnectedError):
            self._hearing.not_taken()
        elif not self._link.is_lost(why):
            self._refused(why.getErrorMessage())
        else:
            self._hearing.not_taken()
            self._send_later()

    def _send_later(self) -> None:
        if self.running and (self._retry is None or not self._retry.active()):
            self._retry = self._reactor.callLater(RETRY_AFTER, self._shielded, self._send)

    def _refused(self, said: str) -> None:
        if self._hearing.refused():
            return  # a stock master, which nobody greeted us from
        now = self._reactor.seconds()
        if not 0 <= now - self._complained_at < COMPLAIN_EVERY:
            self._complained_at = now
            say(f'the master refused a report: {said}')

    # what comes from the master

    def _ready(self) -> None:
        self._send()

    def _lost(self) -> None:
        self._hearing.lost()
        if self.running:
            self._write_status()

    def _answered(self, answer: Answer) -> None:
        greeted = self._hearing.answered(answer, self.incarnation)
        if greeted:
            self._send()
        self._shielded(self._look)

    # what the owner can see

    def _write_status(self) -> None:
        opinion = self._opinion
        if opinion is None:
            return
        known = self._values
        self._show(
            Status(
                mood=opinion.mood.label,
                source=opinion.source,
                reason=opinion.reason,
                until=opinion.until,
                load=known.get('load'),
                cpus=known.get('cpus'),
                idle=self._automatic.idle,
                running=self._hearing.builds,
                draining=opinion.draining,
                connected=self._hearing.hears,
                word=self._desk.word.id,
                free=self._is_free(),
                left=self._link.commands() + self._left,
                builds_left=self._hearing.builds_left,
                problem=self._desk.problem or self._automatic.problem,
                incarnation=self.incarnation,
                authority=self._said,
                sent=self._sent,
                at=self._reactor.seconds(),
            )
        )

    def _show(self, status: Status) -> None:
        self._desk.show(status)
        self._page.show(status, self._desk.word)
