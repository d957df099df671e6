# SPDX-License-Identifier: GPL-2.0-or-later
"""Stage: keeps what is shown true while somebody waits for something."""

from __future__ import annotations

import time
from typing import Callable

from demo import scene
from demo.api import ApiError
from demo.errors import DemoError
from demo.processes import ProcessError
from demo.processes import run
from demo.scene import Scene
from demo.screen import Screen
from demo.site import PROTOCOLS
from demo.site import Site
from demo.stop import Stop

LOOK_EVERY = 0.5  # seconds
SILENCE = 15.0  # seconds without an answer of the master
OWNERS_PATIENCE = 30.0  # seconds


class Stage:
    def __init__(self, site: Site, screen: Screen, stop: Stop) -> None:
        self.site = site
        self.scene = Scene()
        self._screen = screen
        self._stop = stop
        self._names: dict[int, str] = {}
        self._next = 0.0
        self._answered = time.monotonic()

    def say(self, text: str) -> None:
        self._screen.say(text)

    def look(self) -> Scene:
        """Afresh; raises ApiError."""
        if len(self._names) < len(PROTOCOLS):
            self._names = self.site.api.names()
        self.scene = scene.take(self.site.api, self._names, PROTOCOLS, self.site.folder)
        self._answered = time.monotonic()
        self.site.decisions.look()
        self._screen.show(self.scene)
        return self.scene

    def tick(self) -> None:
        """Raises StoppedError or DemoError where it cannot go on."""
        self._stop.check()
        now = time.monotonic()
        if now >= self._next:
            try:
                self.look()
            except ApiError as e:
                self._stop.check()
                self.site.check()
                if now - self._answered > SILENCE:
                    raise DemoError(str(e)) from e
            self.site.check()
            self._next = time.monotonic() + LOOK_EVERY
        self._stop.nap()

    def until(self, true: Callable[[], object], seconds: float, otherwise: str) -> None:
        """Waits for a condition; after `seconds` raises DemoError, which says `otherwise`."""
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                raise DemoError(otherwise)
            self.tick()

    def pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.tick()

    def submit(self, count: int) -> list[int]:
        """Requests to the real master; returns their ids."""
        made = []
        for _ in range(count):
            self._stop.check()
            try:
                made.append(self.site.api.force('a part of the demo'))
            except ApiError as e:
                raise DemoError(str(e)) from e
        return made

    def why(self, request: int) -> str:
        """What the command line says of it."""
        self._stop.check()
        try:
            return run('buildbot-balancer', 'why', str(request), '--url', self.site.url).strip()
        except ProcessError as e:
            self._stop.check()
            raise DemoError(str(e)) from e

    def owner_says(self, name: str, command: str, *more: str) -> None:
        """On the command line, and waits until it has returned."""
        self._stop.check()
        try:
            self.site.workers[name].say(command, *more, timeout=OWNERS_PATIENCE)
        except ProcessError as e:
            self._stop.check()  # Ctrl-C has ended it, too
            raise DemoError(str(e)) from e
