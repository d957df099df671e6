# SPDX-License-Identifier: GPL-2.0-or-later
"""Peer: who is at the other end of a unix socket, and whether they may speak for the owner."""

from __future__ import annotations

import ctypes
import os
import socket
import struct

import attrs

_CREDENTIALS = struct.Struct('=iII')  # pid, uid, gid: unix(7)
_ROOT = 0


@attrs.frozen
class Peer:
    uid: int
    gid: int


def of(connection: socket.socket) -> Peer | None:
    """None where the platform cannot tell: there the mode of the socket's file decides."""
    if hasattr(socket, 'SO_PEERCRED'):
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, uid, gid = _CREDENTIALS.unpack(data)
        return Peer(uid, gid)
    return _by_getpeereid(connection)


def _by_getpeereid(connection: socket.socket) -> Peer | None:
    """In the C library of macOS and of the BSDs; Python has no name for it."""
    ask = getattr(ctypes.CDLL(None), 'getpeereid', None)
    uid, gid = ctypes.c_uint(), ctypes.c_uint()
    if ask is None or ask(connection.fileno(), ctypes.byref(uid), ctypes.byref(gid)) != 0:
        return None
    return Peer(uid.value, gid.value)


def may_speak(peer: Peer | None, own: int, group: int | None) -> bool:
    """`own`: the user that the reporter runs as; `group`: whose members may speak too."""
    if peer is None or peer.uid in {own, _ROOT}:
        return True
    return group is not None and _is_member(peer, group)


def _is_member(peer: Peer, group: int) -> bool:
    import pwd

    if peer.gid == group:
        return True
    try:
        name = pwd.getpwuid(peer.uid).pw_name
    except KeyError:  # a user without a name is in no list
        return False
    return group in os.getgrouplist(name, peer.gid)
