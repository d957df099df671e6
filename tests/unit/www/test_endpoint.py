# SPDX-License-Identifier: GPL-2.0-or-later
"""What the data API says of what there is not, and of names that strangers chose."""

from __future__ import annotations

from buildbot.data.exceptions import InvalidPathError
from parameterized import parameterized
from support.facades import Api
from support.facades import Facade
from support.facades import worker_sight
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.explain.sights import BuilderSight
from buildbot_balancer.explain.sights import Sample

PATHS = [
    'workers',
    'workers/1',
    'workers/w1',
    'workers/1/samples',
    'workers/w1/history',
    'requests',
    'requests/1',
    'requests/1/history',
    'builders',
    'builders/1',
    'builders/1/requests',
    'locks',
    'locks/host',
    'locks/host/history',
    'history',
]
HUGE = '9' * 4000
NOT_RUNNING = 'no Balancer runs on this master: its config has no util.Balancer, or it is starting'


class Case(SynchronousTestCase):
    def setUp(self):
        self.api = Api()
        self.facade = self.api.facade
        self.facade.sight.all_workers = [worker_sight(1), worker_sight(2)]
        self.facade.sight.all_builders = [
            BuilderSight(builderid=1, name='b1'),
            BuilderSight(builderid=2, name='a/b <i>'),
        ]

    def get(self, path, query=''):
        return self.successResultOf(self.api.get(path, query))

    def sentence(self, path):
        return str(self.failureResultOf(self.api.get(path), InvalidPathError).value)


class WithoutBalancer(Case):
    @parameterized.expand(PATHS)
    def test_everything_says_that_it_does_not_run(self, path):
        self.api.services.clear()
        self.assertEqual(self.sentence(path), NOT_RUNNING)

    @parameterized.expand(PATHS)
    def test_one_that_starts_or_stops_has_no_sight_yet(self, path):
        self.facade.sight = self.facade.history = None
        self.assertEqual(self.sentence(path), NOT_RUNNING)

    def test_another_one_is_found_in_its_place(self):
        self.get('workers')
        other = self.api.services['balancer'] = Facade()
        other.sight.all_workers = [worker_sight(7)]
        self.assertEqual([one['workerid'] for one in self.get('workers')], [7])


class Unknown(Case):
    @parameterized.expand(
        [
            ('workers/3', 'there is no worker 3'),
            ('workers/0', 'there is no worker 0'),
            ('workers/w3', 'there is no worker w3'),
            ('workers/3/samples', 'there is no worker 3'),
            (f'workers/{HUGE}', f'there is no worker {"9" * 80}'),
            ('requests/3', 'there is no build request 3'),
            (f'requests/{2**31}', f'there is no build request {2**31}'),
            ('builders/3', 'there is no builder 3'),
            ('builders/b3/requests', 'there is no builder b3'),
            ('locks/host', 'there is no lock host'),
            ('locks/a%2Fb%0A%1b%5B31m', 'there is no lock a/b [31m'),
            ('locks/', 'there is no lock '),
        ]
    )
    def test_it_is_one_sentence(self, path, sentence):
        self.assertEqual(self.sentence(path), sentence)

    def test_no_database_is_asked_for_ids_that_it_cannot_hold(self):
        self.sentence(f'requests/{2**31}')
        self.assertEqual(self.facade.sight.asked, [])


class Known(Case):
    def test_a_worker_is_found_by_id_and_by_name(self):
        self.assertEqual(self.get('workers/2')['name'], 'w2')
        self.assertEqual(self.get('workers/w2')['workerid'], 2)

    def test_a_builder_too_whatever_its_name(self):
        self.assertEqual(self.get('builders/2')['name'], 'a/b <i>')
        self.assertEqual(self.get('builders/a%2Fb%20%3Ci%3E')['builderid'], 2)

    def test_of_one_thing_only_the_fields_that_were_asked_for_are_sent(self):
        self.assertEqual(self.get('workers/2', 'field=mood'), {'mood': 'eager'})

    def test_the_samples_are_those_of_the_worker(self):
        samples = [Sample(at=60.0, load=0.5, running=1), Sample(at=120.0, load=None, running=0)]
        self.facade.sight.all_samples[2] = samples
        self.assertEqual([one['at'] for one in self.get('workers/w2/samples')], [60.0, 120.0])
        self.assertEqual(list(self.get('workers/1/samples')), [])

    def test_hostile_text_is_neither_changed_nor_escaped(self):
        hostile = '<img src=x onerror=alert(1)> & "quotes" \u202e'
        self.facade.sight.all_workers = [worker_sight(1, reason=hostile)]
        self.assertEqual(self.get('workers/1')['reason'], hostile)
