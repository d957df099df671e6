# SPDX-License-Identifier: GPL-2.0-or-later
"""Verdict: a filter's answer, which always says why."""

from __future__ import annotations

import enum

import attrs


class Answer(enum.Enum):
    YES = 'yes'
    NOT_NOW = 'not now'
    NEVER = 'never'  # waiting does not help; a change of config or of the request might
    UNKNOWN = 'unknown'  # does not pass: unknown is not eager


@attrs.frozen
class Verdict:
    """Made by one of `yes`, `not_now`, `never`, `unknown`.

    `code` is for programs (``busy``), `sentence` for people, `who` names the workers, locks or
    people concerned. `again_at` (epoch seconds) is when asking again can help with no event;
    `fact` is what has to change (see docs/policies.rst), '' where the filter cannot tell.
    """

    answer: Answer
    code: str = ''
    sentence: str = ''
    who: tuple[str, ...] = ()
    again_at: float | None = None
    fact: str = ''

    @property
    def passes(self) -> bool:
        return self.answer is Answer.YES

    def __bool__(self) -> bool:
        raise TypeError('a verdict is no bool: ask for .passes')

    @classmethod
    def yes(cls) -> Verdict:
        return _YES

    @classmethod
    def not_now(
        cls,
        code: str,
        sentence: str,
        who: tuple[str, ...] = (),
        again_at: float | None = None,
        fact: str = '',
    ) -> Verdict:
        return cls(Answer.NOT_NOW, code, sentence, who, again_at, fact)

    @classmethod
    def never(cls, code: str, sentence: str, who: tuple[str, ...] = ()) -> Verdict:
        return cls(Answer.NEVER, code, sentence, who)

    @classmethod
    def unknown(
        cls,
        code: str,
        sentence: str,
        who: tuple[str, ...] = (),
        again_at: float | None = None,
        fact: str = '',
    ) -> Verdict:
        return cls(Answer.UNKNOWN, code, sentence, who, again_at, fact)


_YES = Verdict(Answer.YES)
