# SPDX-License-Identifier: GPL-2.0-or-later
"""CommandProbe: any program of the owner's that prints a mood, and perhaps why.

``reluctant``, or ``reluctant: a call``; ``auto`` leaves the answer to others.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from zope.interface import implementer

from buildbot_balancer.availability.mood import AUTO
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.when import span_text
from buildbot_balancer.errors import WordError
from buildbot_balancer.interfaces import IProbe
from buildbot_balancer.reporter.measured import Advice
from buildbot_balancer.reporter.probes.unknown import UnknownError

LIMIT = 4096  # bytes of output: a mood and a reason are far shorter
_SLICE = 0.02  # seconds between two looks


@implementer(IProbe)
class CommandProbe:
    name = 'command'

    def __init__(self, run: Sequence[str], timeout: float, basedir: Path) -> None:
        self._run = tuple(run)
        self._timeout = timeout
        self._basedir = basedir

    def sample(self, now: float) -> Advice:
        try:
            process = subprocess.Popen(  # noqa: S603  what the owner wrote into a file of theirs
                self._run,
                cwd=self._basedir,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except (OSError, ValueError) as e:
            why = (e.strerror if isinstance(e, OSError) else None) or str(e)
            raise UnknownError(f'{self._run[0]} cannot be started: {why}') from e
        try:
            output = self._output(process)
        finally:
            _end(process)
        return _advice(output)

    def _output(self, process: subprocess.Popen[bytes]) -> bytes:
        output = _Output(process)
        end = time.monotonic() + self._timeout
        while not output.complete:
            ended = process.poll() is not None  # before the look, which may find its last words
            output.look()
            if len(output.data) > LIMIT:
                raise UnknownError(f'{self._run[0]} prints over {LIMIT} bytes')
            # what it has started may keep its output open for as long as it likes
            if ended:
                break
            if time.monotonic() >= end:
                self._too_long()
            time.sleep(_SLICE)
        while process.poll() is None:  # it has closed its output, and goes on
            if time.monotonic() >= end:
                self._too_long()
            time.sleep(_SLICE)
        if process.returncode != 0:
            raise UnknownError(f'{self._run[0]} {_ending(process.returncode)}')
        return bytes(output.data)

    def _too_long(self) -> NoReturn:
        raise UnknownError(f'{self._run[0]} did not end within {span_text(self._timeout)}')


class _Output:
    """Read without waiting, so that nothing can hold up the reader."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101  it was asked for
        self.data = bytearray()
        self.complete = False
        self._fd = process.stdout.fileno()
        os.set_blocking(self._fd, False)  # on Windows since Python 3.12

    def look(self) -> None:
        while len(self.data) <= LIMIT:
            try:
                chunk = os.read(self._fd, LIMIT)
            except BlockingIOError:
                return
            if not chunk:
                self.complete = True
                return
            self.data += chunk


def _end(process: subprocess.Popen[bytes]) -> None:
    """And what it has started, where it did not end by itself."""
    if process.poll() is None:
        with contextlib.suppress(OSError):
            if hasattr(os, 'killpg'):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)
    if process.stdout is not None:
        process.stdout.close()


def _ending(code: int) -> str:
    return f'was ended by signal {-code}' if code < 0 else f'ended with exit code {code}'


def _advice(output: bytes) -> Advice:
    lines = [line.strip() for line in output.decode(errors='replace').splitlines()]
    first = next((line for line in lines if line), '')
    if not first:
        raise UnknownError('it printed nothing')
    word, _, reason = first.partition(':')
    if word.strip().lower() == AUTO:
        return Advice(mood=None, reason=clean(reason, 150))
    try:
        return Advice(mood=Mood.parse(word), reason=clean(reason, 150))
    except WordError as e:
        raise UnknownError(f'it printed what is not understood: {e}') from e
