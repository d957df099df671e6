# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from support.facades import request_sight
from support.facades import worker_sight
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cluster.others import GONE
from buildbot_balancer.cluster.others import OLD
from buildbot_balancer.cluster.others import OtherMaster
from buildbot_balancer.cluster.others import Others
from buildbot_balancer.cluster.pictures import BUILDERS
from buildbot_balancer.cluster.pictures import REQUESTS
from buildbot_balancer.cluster.pictures import WORKERS
from buildbot_balancer.cluster.pictures import Picture
from buildbot_balancer.explain.sights import BuilderSight


def master(name, workers=(), requests=(), builders=(), age=1.0, active=True):
    return OtherMaster(
        name=name,
        active=active,
        age=age,
        pictures={
            WORKERS: Picture({one.workerid: one for one in workers}),
            REQUESTS: Picture({one.buildrequestid: one for one in requests}),
            BUILDERS: Picture({one.builderid: one for one in builders}),
        },
    )


class Workers(SynchronousTestCase):
    def test_the_master_to_which_it_is_connected_knows_best(self):
        here, there = worker_sight(1, summary='is free', master='m2'), worker_sight(1)
        for masters in (
            [master('m1', [there]), master('m2', [here])],
            [master('m2', [here]), master('m3', [there])],
        ):
            found = Others(masters).worker(1)
            self.assertEqual(
                (found.master, found.summary), ('m2', 'connected to master m2: is free')
            )

    def test_one_that_is_connected_nowhere_is_of_no_master(self):
        found = Others([master('m1', [worker_sight(1, summary='is not connected')])]).workers()
        self.assertEqual(
            [(one.master, one.summary) for one in found], [(None, 'on master m1: is not connected')]
        )

    def test_an_old_picture_is_said_to_be_old(self):
        young = Others([master('m', [worker_sight(1, master='m')], age=OLD)]).worker(1)
        old = Others([master('m', [worker_sight(1, master='m')], age=OLD + 60)]).worker(1)
        self.assertNotIn('out of date', young.summary)
        self.assertTrue(old.summary.endswith('(as of 2 min ago, which may be out of date)'), old)
        self.assertEqual((young.fresh, old.fresh), (True, False))

    def test_what_a_master_saw_that_runs_no_more_is_not_shown(self):
        for gone in ({'active': False}, {'age': GONE + 1}):
            others = Others([master('m', [worker_sight(1)], [request_sight(1)], **gone)])
            self.assertEqual((others.workers(), others.worker(1)), ([], None))
            self.assertEqual((others.requests(()), others.request(1)), ([], []))


class Requests(SynchronousTestCase):
    def test_those_of_these_builders_are_not_asked_for(self):
        seen = master('m', requests=[request_sight(1), request_sight(2)])  # of 2, of 1
        self.assertEqual([one.buildrequestid for one in Others([seen]).requests({1})], [1])

    def test_the_first_of_each_master_come_first_and_each_once(self):
        one = master('m1', requests=[request_sight(5, position=1), request_sight(9, position=2)])
        two = master('m2', requests=[request_sight(7, position=1), request_sight(5, position=2)])
        found = Others([one, two]).requests(())
        self.assertEqual([sight.buildrequestid for sight in found], [5, 7, 9])
        self.assertEqual([sight.master for sight in found], ['m1', 'm2', 'm1'])

    def test_each_master_says_why_one_waits_there(self):
        one = master('m1', requests=[request_sight(5, reason='busy')])
        two = master('m2', requests=[request_sight(5, reason='locked')])
        reasons = [sight.reason for sight in Others([one, two]).request(5)]
        self.assertEqual(reasons, ['on master m1: busy', 'on master m2: locked'])


class Builders(SynchronousTestCase):
    def test_those_that_several_have_are_there_once_without_ours(self):
        both = [BuilderSight(builderid=1, name='a'), BuilderSight(builderid=2, name='b')]
        found = Others([master('m1', builders=both), master('m2', builders=both)]).builders({1})
        self.assertEqual([one.name for one in found], ['b'])
