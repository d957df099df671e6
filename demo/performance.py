# SPDX-License-Identifier: GPL-2.0-or-later
"""Performance: the demo from its first process to the last, whatever happens in between."""

from __future__ import annotations

import contextlib
import sys
import time

from demo import screen
from demo import surroundings
from demo import table
from demo.errors import DemoError
from demo.errors import StoppedError
from demo.facts import Facts
from demo.promise import PROMISES
from demo.screen import Screen
from demo.site import Site
from demo.stage import Stage
from demo.stop import Stop
from demo.story import Story

LIMIT = 180.0  # seconds until the last request is done


def run(stop: Stop, *, leave: bool) -> int:
    """The exit code; `leave`: when the last request is done, not at Ctrl-C."""
    view = screen.make()
    show = Show(stop, view)
    problems: list[str] = []
    try:
        surroundings.check()
        surroundings.clean()
        show.run(leave=leave)
    except DemoError as e:
        problems.append(str(e))
    except OSError as e:
        problems.append(f'The machine does not let it go on: {e}.')
    except StoppedError:
        if show.broken is None:  # it was not over
            return 128 + stop.heard
    for problem in [*problems, *(show.broken or [])]:
        print(f'demo: {problem}', file=sys.stderr)
    return 1 if problems or show.broken else 0


class Show:
    """`broken`: a sentence for each broken promise, None before the story has been told."""

    def __init__(self, stop: Stop, view: Screen) -> None:
        self.broken: list[str] | None = None
        self._stop = stop
        self._view = view

    def run(self, *, leave: bool) -> None:
        self._stop.check()
        self._stop.ends = time.monotonic() + LIMIT
        site = Site(self._stop)
        try:
            self._perform(site, leave=leave)
        finally:
            with contextlib.suppress(Exception):  # a terminal that is gone
                self._view.close()
                self._view.say('Stopping the master and its workers.')
            site.close()

    def _perform(self, site: Site, *, leave: bool) -> None:
        self._view.say('Starting a master, two workers on PB and two on msgpack.')
        site.start()
        self._view.heading = f'buildbot-balancer demo: {site.url}'
        self._view.say(f"Buildbot's web UI: {site.url}, the Balancer's page: {site.url}#/balancer")
        stage = Stage(site, self._view, self._stop)
        facts = Story(stage).tell()
        self._stop.ends = None
        if leave:
            self._view.close()
        self._conclude(facts)
        if leave:
            return
        for sentence in self.broken or []:
            self._view.say(sentence)
        self._view.heading += ' (Ctrl-C ends it)'
        self._view.say(f'The master stays up at {site.url} until Ctrl-C.')
        while True:
            stage.tick()

    def _conclude(self, facts: Facts) -> None:
        found = {one.text: list(one.broken_by(facts)) for one in PROMISES}
        self.broken = [sentence for sentences in found.values() for sentence in sentences]
        self._view.draw(table.closing(facts))
        self._view.draw(table.promises([text for text, sentences in found.items() if sentences]))
