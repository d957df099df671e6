# SPDX-License-Identifier: GPL-2.0-or-later
"""What the installed Buildbot does with a build while its database fails: nothing more."""

from __future__ import annotations

import sqlalchemy as sa
from support.fake_builds import Ends
from support.fake_builds import FakeBuildCase
from twisted.internet import defer

LOST = sa.exc.OperationalError('SELECT 1', {}, Exception('server closed the connection'))


class StockBuilds(FakeBuildCase):
    """Where one of these fails, Buildbot heals it itself, and ``starts/endings.py`` can go."""

    def lost(self, *args, **kwargs):
        return defer.fail(LOST)

    def forget(self):
        self.pump()
        self.flushLoggedErrors(sa.exc.OperationalError)

    def test_one_that_cannot_be_written_to_between_two_steps_never_ends(self):
        build = self.make_build(Ends(calls=lambda _: self.patch(updates, name, self.lost)), Ends())
        updates, name = self.master.data.updates, 'setBuildProperties'
        build.startBuild(self.wfb)
        self.forget()
        self.assertEqual((build.finished, len(build.executedSteps)), (False, 1))

    def test_one_whose_end_cannot_be_written_keeps_its_place(self):
        self.patch(self.master.data.updates, 'finishBuild', self.lost)
        build = self.start(Ends())
        self.forget()
        self.assertTrue(build.finished)
        self.wfb.buildFinished.assert_not_called()
