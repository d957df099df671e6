# SPDX-License-Identifier: GPL-2.0-or-later
"""The file that lets the owner in, and nobody else."""

from __future__ import annotations

import os
import secrets
import stat

from support.reporters import new_folder
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.errors import StoreError
from buildbot_balancer.reporter import files
from buildbot_balancer.reporter.page import ticket
from buildbot_balancer.reporter.page.entrance import Entrance
from buildbot_balancer.reporter.page.ticket import PageError
from buildbot_balancer.reporter.page.ticket import Ticket

PORT = 8099
ELSE = 4242  # the id of another user


class Case(SynchronousTestCase):
    def setUp(self):
        self.basedir = new_folder(self)
        self.path = ticket.path(self.basedir)
        self.entrance = Entrance(self.basedir, secrets.token_bytes)

    def mode(self, name=ticket.FILE):
        return stat.S_IMODE((self.basedir / name).stat().st_mode)


class TheFile(Case):
    def test_only_its_owner_can_read_it_whatever_the_umask(self):
        self.addCleanup(os.umask, os.umask(0))
        self.entrance.open(PORT)
        self.assertEqual(self.mode(), 0o600)
        ticket.save_doorway(self.basedir, Ticket(PORT, self.entrance.keys.token))
        self.assertEqual(self.mode(ticket.DOORWAY), 0o600)

    def test_it_was_never_open_to_others_not_even_while_it_was_written(self):
        modes = []
        real = os.fdopen

        def fdopen(fd, *args, **kwargs):
            modes.append(stat.S_IMODE(os.fstat(fd).st_mode))
            return real(fd, *args, **kwargs)

        self.addCleanup(os.umask, os.umask(0))
        self.patch(files.os, 'fdopen', fdopen)
        self.entrance.open(PORT)
        self.assertEqual(modes, [0o600])

    def test_it_names_the_port_and_the_token(self):
        self.entrance.open(PORT)
        found = ticket.load(self.basedir)
        self.assertEqual(found, Ticket(PORT, self.entrance.keys.token))
        self.assertEqual(found.url, f'http://127.0.0.1:{PORT}/?token={found.token}')
        self.assertNotIn(found.token, repr(found))
        self.assertNotIn(found.token, repr(self.entrance.keys))

    def test_a_link_in_its_place_is_not_followed(self):
        elsewhere = self.basedir / 'elsewhere'
        elsewhere.write_text('precious')
        self.path.symlink_to(elsewhere)
        self.entrance.open(PORT)
        self.assertEqual(elsewhere.read_text(), 'precious')
        self.assertFalse(self.path.is_symlink())

    def test_none_is_none(self):
        self.assertIsNone(ticket.load(self.basedir))

    def test_what_others_can_read_is_not_used(self):
        self.entrance.open(PORT)
        for mode in (0o604, 0o640, 0o602, 0o620, 0o644, 0o666):
            self.path.chmod(mode)
            error = self.assertRaises(PageError, ticket.load, self.basedir)
            self.assertIn('other users of this machine', str(error))
            self.assertNotIn(self.entrance.keys.token, str(error))

    def test_what_another_user_has_put_there_is_not_used(self):
        self.entrance.open(PORT)
        self.patch(ticket.os, 'geteuid', lambda: ELSE)
        self.assertRaises(PageError, ticket.load, self.basedir)

    def test_what_is_no_ticket_is_one_sentence(self):
        for text in ('', 'x', '8099', f'8099 {"x" * 64}\n', f'evil.example/ {"a" * 64}\n'):
            files.write(self.path, text, 0o600)
            error = self.assertRaises(PageError, ticket.load, self.basedir)
            self.assertIn('is not as the reporter writes it', str(error))


class Renewing(Case):
    def setUp(self):
        super().setUp()
        self.entrance.open(PORT)
        self.before = self.entrance.keys

    def assert_renewed(self):
        self.assertTrue(self.entrance.look())
        self.assertNotEqual(self.entrance.keys.token, self.before.token)
        self.assertNotEqual(self.entrance.keys.door, self.before.door)
        self.assertFalse(self.entrance.keys.knows(self.before.cookie(1.0), 1.0))
        self.assertEqual(self.mode(), 0o600)
        self.assertEqual(ticket.load(self.basedir).token, self.entrance.keys.token)
        self.assertFalse(self.entrance.look())

    def test_a_file_that_nobody_touched_is_kept(self):
        self.assertFalse(self.entrance.look())
        self.assertEqual(self.entrance.keys, self.before)

    def test_a_file_that_others_could_read_is_void(self):
        self.path.chmod(0o644)
        self.assert_renewed()

    def test_who_removes_the_file_makes_all_addresses_void(self):
        self.path.unlink()
        self.assert_renewed()

    def test_a_file_that_was_written_by_somebody_else_is_void(self):
        self.path.write_text(f'{PORT} {"a" * 64}\n')
        self.assert_renewed()

    def test_each_opening_has_new_keys(self):
        self.entrance.open(PORT)
        self.assertNotEqual(self.entrance.keys, self.before)

    def test_when_it_closes_nothing_is_left(self):
        ticket.save_doorway(self.basedir, Ticket(PORT, 'a' * 64))
        self.entrance.close()
        self.assertEqual(list(self.basedir.iterdir()), [])
        self.assertNotEqual(self.entrance.keys, self.before)

    def test_where_the_file_cannot_be_written_the_old_keys_open_nothing(self):
        def write(*args, **kwargs):
            raise StoreError('cannot write: No space left on device')

        self.path.unlink()
        self.patch(files, 'write', write)
        for _ in range(2):
            self.assertRaises(StoreError, self.entrance.look)
            self.assertNotEqual(self.entrance.keys.token, self.before.token)
