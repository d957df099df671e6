# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import json

from support.facades import request_sight
from support.facades import worker_sight
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cluster import pictures
from buildbot_balancer.cluster.pictures import BUILDERS
from buildbot_balancer.cluster.pictures import REQUESTS
from buildbot_balancer.cluster.pictures import WORKERS
from buildbot_balancer.cluster.pictures import read
from buildbot_balancer.cluster.pictures import written
from buildbot_balancer.explain.sights import BuilderSight


class Pictures(SynchronousTestCase):
    def changed(self, **changes):
        """What is read where another version has written one worker so; None leaves a field out."""
        said = json.loads(written(WORKERS, [worker_sight(1)]))
        for name, value in changes.items():
            said['things'][0][name] = value
        return dict(read(WORKERS, json.dumps(said)).things)

    def test_what_is_written_is_read(self):
        for kind, sights in (
            (WORKERS, [worker_sight(2, master='m'), worker_sight(1, reason='\u00fcber\U0001f600')]),
            (REQUESTS, [request_sight(7), request_sight(3, position=None, verdicts=())]),
            (BUILDERS, [BuilderSight(builderid=1, name='b', paused=True, until=1.5)]),
        ):
            text = written(kind, sights)
            self.assertTrue(text.isascii())
            self.assertEqual(list(read(kind, text).things.values()), sights)

    def test_it_is_of_bounded_size_and_the_first_are_in_it(self):
        many = (request_sight(number) for number in range(1, 10_000))
        things = read(REQUESTS, written(REQUESTS, many)).things
        self.assertEqual([*things], [*range(1, pictures.MOST[REQUESTS] + 1)])

    def test_what_no_master_of_this_version_would_write_is_an_empty_picture(self):
        for text in ('', 'null', '[]', '{}', '{"things": 1}', '{"things": [1, null, {}, []]}'):
            self.assertEqual(read(WORKERS, text).things, {}, text)

    def test_a_field_that_is_new_is_left_out(self):
        self.assertEqual(self.changed(colour='red'), {1: worker_sight(1)})

    def test_a_thing_with_a_field_of_another_type_is_left_out(self):
        for name, value in (
            ('workerid', '1'),
            ('workerid', True),
            ('name', None),
            ('load', 'high'),
            ('fresh', 1),
        ):
            self.assertEqual(self.changed(**{name: value}), {}, name)

    def test_a_number_without_a_fraction_is_one(self):
        self.assertEqual(self.changed(load=2)[1].load, 2)
