# SPDX-License-Identifier: GPL-2.0-or-later
"""Real masters and workers in processes of their own, for the demo and for the scenario tests."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from demo import session

PB = 'pb'
MSGPACK = 'msgpack_experimental_v7'
BIN = Path(sys.executable).parent
START_TIMEOUT = 60.0  # seconds
STOP_TIMEOUT = 10.0


class ProcessError(Exception):
    """A program did not do what it was started for; the message has the end of what it said."""


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody listens on, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(('127.0.0.1', 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def run(
    *command: str | Path,
    cwd: Path | None = None,
    expect: int | None = 0,
    timeout: float | None = None,
) -> str:
    """Runs a program of this environment to its end; returns what it printed."""
    program, *rest = command
    try:
        done = subprocess.run(
            [str(BIN / program), *map(str, rest)],
            cwd=cwd,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as e:
        raise ProcessError(f'{program} {rest[0]} did not end within {timeout:g} s') from e
    said = done.stdout + done.stderr
    if expect is not None and done.returncode != expect:
        raise ProcessError(f'{program} {rest[0]} ended with {done.returncode}:\n{said[-2000:]}')
    return said


class Process:
    """A program that runs until it is stopped, in a process group of its own."""

    def __init__(self, basedir: Path, *command: str) -> None:
        self.basedir = basedir
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ProcessError(f'{self._command[0]} does not run')
        return self._process.pid

    @property
    def log(self) -> str:
        try:
            return (self.basedir / 'twistd.log').read_text(errors='replace')
        except FileNotFoundError:
            return ''

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def launch(self, **environment: str) -> None:
        (self.basedir / 'twistd.pid').unlink(missing_ok=True)  # left by a kill -9
        program, *rest = self._command
        with (self.basedir / 'output.txt').open('ab') as output:
            self._process = subprocess.Popen(
                [str(BIN / program), *rest, str(self.basedir)],
                cwd=self.basedir,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={**os.environ, **environment},
            )

    def wait_for_log(self, text: str, after: int = 0, timeout: float = START_TIMEOUT) -> None:
        """`after`: where in the log to begin, as len(log) said before."""
        end = time.monotonic() + timeout
        while text not in self.log[after:]:
            if not self.alive() or time.monotonic() > end:
                said = (self.basedir / 'output.txt').read_text(errors='replace')
                raise ProcessError(f'"{text}" is not in the log:\n{(self.log + said)[-3000:]}')
            time.sleep(0.05)

    def kill(self) -> None:
        """As a crash would: ``kill -9`` of this process alone, not of what it has started."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self, patience: float = STOP_TIMEOUT) -> None:
        """Lets it end by itself within `patience` seconds; what it has started ends with it."""
        if self._process is None:
            return
        started = session.members(self._process.pid)
        if self.alive():
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        session.kill([*started, *session.members(self._process.pid)])
        self._process = None


class Master(Process):
    """`config`: the text of its master.cfg."""

    def __init__(self, basedir: Path, config: str) -> None:
        super().__init__(basedir, 'buildbot', 'start', '--nodaemon')
        run('buildbot', 'create-master', '-q', basedir, timeout=START_TIMEOUT)
        self.configure(config)

    def configure(self, config: str) -> None:
        (self.basedir / 'master.cfg').write_text(config)

    def start(self) -> None:
        begin = len(self.log)
        self.launch()
        self.wait_for_log('BuildMaster is running', after=begin)

    def reconfig(self) -> None:
        begin = len(self.log)
        os.kill(self.pid, signal.SIGHUP)
        self.wait_for_log('configuration update complete', after=begin)


class Worker(Process):
    """A worker as ``buildbot-worker create-worker`` makes it, with our line in its buildbot.tac."""

    def __init__(
        self, basedir: Path, name: str, port: int, protocol: str = PB, *, reporter: bool = True
    ) -> None:
        super().__init__(basedir, 'buildbot-worker', 'start', '--nodaemon')
        self.name = name
        where = f'127.0.0.1:{port}'
        run(
            'buildbot-worker',
            'create-worker',
            '-q',
            f'--protocol={protocol}',
            basedir,
            where,
            name,
            'pw',
            timeout=START_TIMEOUT,
        )
        if reporter:
            run('buildbot-balancer', 'attach', basedir, timeout=START_TIMEOUT)

    def start(self, *, wait: bool = True, **environment: str) -> None:
        begin = len(self.log)
        self.launch(**environment)
        if wait:
            self.wait_for_log('message from master: attached', after=begin)

    def say(
        self, command: str, *more: str, expect: int | None = 0, timeout: float | None = None
    ) -> str:
        """Something on the owner's command line."""
        return run(
            'buildbot-balancer', command, self.basedir, *more, expect=expect, timeout=timeout
        )


def kill_group(process: subprocess.Popen[Any]) -> None:
    """Ends a program that was started with start_new_session, and all it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
