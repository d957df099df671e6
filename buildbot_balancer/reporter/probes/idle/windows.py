# SPDX-License-Identifier: GPL-2.0-or-later
"""WindowsSource: GetLastInputInfo, which knows the input of its own session only."""

from __future__ import annotations

import sys
from typing import Any
from typing import Callable

import attrs

from buildbot_balancer.reporter.probes.idle.use import Use
from buildbot_balancer.reporter.probes.unknown import UnknownError

_TICKS = 2**32  # milliseconds since the start are counted in 32 bits


@attrs.frozen
class LastInput:
    """Milliseconds since the start of the machine, modulo _TICKS; numbers of sessions."""

    last: int
    now: int
    session: int
    console: int  # the session at the screen


class WindowsSource:
    name = 'GetLastInputInfo'
    sees_screens = True

    def __init__(self, ask: Callable[[], LastInput] | None = None) -> None:
        self._ask = ask or _ask_windows

    def look(self, now: float) -> list[Use]:
        found = self._ask()
        if found.session != found.console:
            # a service sits in session 0, where nobody ever types
            raise UnknownError('the worker runs outside the session at the screen')
        return [Use(seconds=((found.now - found.last) % _TICKS) / 1000)]


def _ask_windows() -> LastInput:  # pragma: no cover  Windows only
    if sys.platform != 'win32':
        raise UnknownError('this is no Windows')
    import ctypes

    class LastInputInfo(ctypes.Structure):
        _fields_ = (('size', ctypes.c_uint), ('time', ctypes.c_uint))

    kernel: Any = ctypes.windll.kernel32
    info = LastInputInfo(ctypes.sizeof(LastInputInfo), 0)
    session = ctypes.c_uint()
    if not ctypes.windll.user32.GetLastInputInfo(ctypes.byref(info)):
        raise UnknownError('it failed')
    if not kernel.ProcessIdToSessionId(kernel.GetCurrentProcessId(), ctypes.byref(session)):
        raise UnknownError('the session of the worker is not known')
    return LastInput(
        last=int(info.time),
        now=kernel.GetTickCount() % _TICKS,
        session=int(session.value),
        console=kernel.WTSGetActiveConsoleSessionId() % _TICKS,
    )
