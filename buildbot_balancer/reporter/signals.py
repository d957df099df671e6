# SPDX-License-Identifier: GPL-2.0-or-later
"""Signals: ``kill -USR1`` makes the machine reluctant, ``kill -USR2`` leaves it to the machine.

Windows has neither, and there nothing is done.
"""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any
from typing import Callable

from twisted.internet.interfaces import IReactorFromThreads

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.log import say
from buildbot_balancer.reporter.word import SIGNAL
from buildbot_balancer.reporter.word import Word
from buildbot_balancer.reporter.word import new_id

MOODS = {'SIGUSR1': Mood.RELUCTANT, 'SIGUSR2': None}


class _Handler:
    """Of one signal, for all reporters of the process."""

    def __init__(self, before: Any) -> None:
        self.before = before
        self.listeners: list[Callable[[int], None]] = []

    def __call__(self, number: int, frame: FrameType | None) -> None:
        for listener in tuple(self.listeners):
            listener(number)


class Signals:
    """`speak` keeps the owner's word, and raises nothing."""

    def __init__(self, reactor: Any, speak: Callable[[Word], None]) -> None:
        self._reactor = reactor
        self._speak = speak
        self._taken: dict[int, Mood | None] = {}

    def open(self) -> None:
        if not IReactorFromThreads.providedBy(self._reactor):  # only a clock
            return
        for name, mood in MOODS.items():
            number = getattr(signal, name, None)
            if number is not None and self._take(name, number):
                self._taken[number] = mood

    def close(self) -> None:
        for number in self._taken:
            handler = signal.getsignal(number)
            if not isinstance(handler, _Handler):
                continue  # somebody has put another one in the place of ours
            handler.listeners.remove(self._heard)
            if not handler.listeners:
                signal.signal(number, handler.before)
        self._taken = {}

    def _take(self, name: str, number: int) -> bool:
        handler = signal.getsignal(number)
        if not isinstance(handler, _Handler):
            if handler not in {signal.SIG_DFL, signal.SIG_IGN}:
                say(f'{name} means something else in this process already: it says no mood')
                return False
            handler = _Handler(handler)
            try:
                signal.signal(number, handler)
            except ValueError as e:
                say(f'{name} says no mood: {e}')
                return False
        handler.listeners.append(self._heard)
        return True

    def _heard(self, number: int) -> None:
        # between any two instructions of the main thread: the reactor does the rest
        self._reactor.callFromThread(self._say, number)

    def _say(self, number: int) -> None:
        if number in self._taken:
            self._speak(Word(mood=self._taken[number], source=SIGNAL, id=new_id()))
