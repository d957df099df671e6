# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import pwd
import socket
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.reporter import peer
from buildbot_balancer.reporter.peer import Peer

STRANGER = 54321  # a uid and a gid that nobody has


class Peers(SynchronousTestCase):
    def test_the_same_user_and_root_may_speak(self):
        self.assertTrue(peer.may_speak(Peer(7, 7), 7, None))
        self.assertTrue(peer.may_speak(Peer(0, 7), 7, None))
        self.assertFalse(peer.may_speak(Peer(8, 7), 7, None))

    def test_members_of_the_group_may_speak_and_no_others(self):
        stranger = Peer(STRANGER, STRANGER)
        self.assertTrue(peer.may_speak(stranger, 7, STRANGER))
        self.assertFalse(peer.may_speak(stranger, 7, 1))

    def test_a_member_by_the_list_of_groups_may_speak(self):
        user = pwd.getpwuid(1)
        with mock.patch(
            'os.getgrouplist', lambda name, gid: [gid, 77] if name == user.pw_name else []
        ):
            self.assertTrue(peer.may_speak(Peer(1, user.pw_gid), 7, 77))
            self.assertFalse(peer.may_speak(Peer(1, user.pw_gid), 7, 78))

    def test_where_nobody_can_tell_the_mode_of_the_file_decides(self):
        self.assertTrue(peer.may_speak(None, 7, None))

    def test_the_system_says_who_is_at_the_other_end(self):
        one, other = socket.socketpair(socket.AF_UNIX)
        with one, other:
            self.assertEqual(peer.of(one), Peer(os.geteuid(), os.getegid()))
