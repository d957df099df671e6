# SPDX-License-Identifier: GPL-2.0-or-later
"""Every exception of this package; a message is one sentence for the person who can act on it."""


class BalancerError(Exception):
    """Something that an operator can mend; the message says what, where and how."""


class WireError(BalancerError):
    """A message from the other side of a connection was refused; nothing of it was used."""


class WordError(BalancerError):
    """The owner's word, as typed or as found in its file, cannot be understood."""


class TimeError(BalancerError):
    """A moment or a duration, as a person typed it, cannot be understood."""


class TacError(BalancerError):
    """A worker's ``buildbot.tac`` has a form that cannot be changed safely; it was left alone."""


class StoreError(BalancerError):
    """A file in the worker's basedir could not be read or written."""


class NotAWorkerError(BalancerError):
    """The folder that was named is no worker's basedir: it has no ``buildbot.tac`` of a worker."""


class StepGroupError(BalancerError):
    """What a renderable of ``steps`` gave cannot be run as the steps of a group."""


class LockConflictError(BalancerError):
    """A step asks for a lock that its own group or build holds, and would wait for ever."""


class ControlError(BalancerError):
    """What a user of the master said about a worker or a builder cannot be done."""


class NothingSentError(BalancerError):
    """A reporter was asked for its last report, and has sent none since it started."""
