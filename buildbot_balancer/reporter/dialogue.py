# SPDX-License-Identifier: GPL-2.0-or-later
"""Dialogue: a line that somebody says to the reporter, and the one line that it answers.

``reluctant using it``, ``auto``, ``status``, and ``idle 12.5 :0`` from an idle helper.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Callable

from buildbot_balancer.availability.mood import AUTO
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.report import REASON_LIMIT
from buildbot_balancer.availability.text import clean
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.errors import WordError
from buildbot_balancer.reporter.probes.idle.helper import HelperSource
from buildbot_balancer.reporter.word import SOCKET
from buildbot_balancer.reporter.word import Word
from buildbot_balancer.reporter.word import new_id

STATUS = 'status'
IDLE = 'idle'
OK = 'ok'
ERROR = 'error: '
_LONGEST_IDLE = 1e9  # seconds


class Dialogue:
    """`say` keeps the owner's word, and may raise StoreError; `shown` is the present state, for a
    person.
    """

    def __init__(
        self, say: Callable[[Word], None], shown: Callable[[], str], helper: HelperSource
    ) -> None:
        self._say = say
        self._shown = shown
        self._helper = helper

    def answer(self, line: str, who: Hashable) -> str:
        """`who`: the connection that it came over."""
        try:
            return self._answer(line.strip(), who)
        except BalancerError as e:
            return ERROR + clean(str(e), 400)

    def _answer(self, line: str, who: Hashable) -> str:
        first, _, rest = line.partition(' ')
        if first.lower() == STATUS:
            return self._shown()
        if first.lower() == IDLE:
            seconds, display = _input(rest)
            self._helper.told(who, seconds, display)
            return OK
        said = _word(first, clean(rest, REASON_LIMIT))
        self._say(said)
        return f'{OK}: {said.mood.label if said.mood is not None else AUTO}'

    def ended(self, who: Hashable) -> None:
        self._helper.gone(who)


def _word(mood: str, reason: str) -> Word:
    if not mood:
        raise WordError(f'say a mood, {AUTO} or {STATUS}')
    if mood.lower() == AUTO:
        if reason:
            raise WordError(f'"{AUTO}" takes no reason: it ends what was said before')
        return Word(source=SOCKET, id=new_id())
    return Word(mood=Mood.parse(mood), reason=reason or None, source=SOCKET, id=new_id())


def _input(text: str) -> tuple[float, str]:
    seconds, _, display = text.strip().partition(' ')
    try:
        value = float(seconds)
    except ValueError:
        value = math.nan
    if not 0 <= value <= _LONGEST_IDLE:
        raise WordError(f'"{clean(seconds, 40)}" is no number of seconds since the last input')
    return value, clean(display, 40)
