# SPDX-License-Identifier: GPL-2.0-or-later
"""Hearing: what the reporter knows of the master. Pure: events in, flags out."""

from __future__ import annotations

import attrs

from buildbot_balancer.availability.answer import Answer


@attrs.define
class Hearing:
    """`listening`: a master with a Balancer greeted us on this connection.

    `promised`: it said that nothing runs and nothing will start, about the present word.
    `empty`: and nothing of a build was found on the machine itself.
    """

    listening: bool = False
    _knocking: bool = False  # nobody greeted: the reporter came later than the connection
    promised: bool = False
    empty: bool = False
    builds: int | None = None
    builds_left: float | None = None  # seconds until they are over, as the master expects
    _taken: bool = False
    _word_seq: int = 0  # the first report that carries the present word

    @property
    def hears(self) -> bool:
        """A master listens, and took the last report that it was sent."""
        return self.listening and self._taken

    def new_word(self, first_seq: int) -> None:
        """The owner said something else: a promise about the word before counts no more."""
        self._word_seq = first_seq
        self.promised = self.empty = False

    def knock(self) -> None:
        self.listening = self._knocking = True

    def taken(self) -> None:
        self._taken = True
        self._knocking = False

    def refused(self) -> bool:
        """True where a master that nobody greeted us from does not know what a report is."""
        stock = self._knocking
        self._taken = self._knocking = False
        if stock:
            self.listening = False
        return stock

    def not_taken(self) -> None:
        self._taken = False

    def lost(self) -> None:
        """The connection is gone. A promise outlives it: the next master reads the word first."""
        self.listening = self._taken = False
        self.builds = self.builds_left = None

    def answered(self, answer: Answer, incarnation: str) -> bool:
        """True where the answer is a greeting, which wants the whole state at once."""
        if not answer.serving:
            self.listening = self._taken = False
            self.builds = self.builds_left = None
            self.promised = self.empty = False
            return False
        self.listening = True
        self._knocking = False
        if answer.seq < 0:
            return True
        if answer.incarnation != incarnation:
            return False
        self._taken = True
        self.builds, self.builds_left = answer.running, answer.left
        if answer.seq >= self._word_seq:
            self.promised = answer.free
            self.empty = self.empty and answer.free
        return False
