# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace

from support.facades import FakeSight
from support.facades import request_sight
from twisted.internet import defer
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cluster.others import OtherMaster
from buildbot_balancer.cluster.others import Others
from buildbot_balancer.cluster.pictures import REQUESTS
from buildbot_balancer.cluster.pictures import Picture
from buildbot_balancer.cluster.sharedsight import SharedSight
from buildbot_balancer.explain.sights import BuilderSight


class Pages(SynchronousTestCase):
    """Requests 1 to 3 are of our own builder 1; 1, and 11 to 14 of builder 2, are elsewhere."""

    def setUp(self):
        own = FakeSight()
        own.all_builders = [BuilderSight(builderid=1, name='b1')]
        own.all_requests = [request_sight(number, builderid=1) for number in (1, 2, 3)]
        there = [request_sight(number, builderid=2) for number in (11, 12, 13, 14)]
        there.append(request_sight(1, builderid=1))
        picture = Picture({one.buildrequestid: one for one in there})
        others = Others([OtherMaster(name='m', active=True, age=1.0, pictures={REQUESTS: picture})])
        seen = SimpleNamespace(others=lambda: others)
        self.sight = SharedSight(SimpleNamespace(name='own'), own, seen)

    def page(self, *args):
        asked = defer.ensureDeferred(self.sight.requests(*args))
        page, total = self.successResultOf(asked)
        return [one.buildrequestid for one in page], total

    def test_our_own_come_first_and_each_is_on_one_page(self):
        whole = [1, 2, 3, 11, 12, 13, 14]
        self.assertEqual(self.page(), (whole, 7))
        for limit in (1, 2, 3, 5, 7, 9):
            for offset in range(9):
                self.assertEqual(self.page(offset, limit), (whole[offset : offset + limit], 7))

    def test_of_one_builder_whose_ever_it_is(self):
        self.assertEqual(self.page(0, None, 1), ([1, 2, 3], 3))
        self.assertEqual(self.page(1, 2, 2), ([12, 13], 4))
