# SPDX-License-Identifier: GPL-2.0-or-later
"""What the data API knows of ours."""

from __future__ import annotations

import json
from types import SimpleNamespace

import attrs
from buildbot.data import types
from buildbot.data.connector import DataConnector
from parameterized import parameterized
from support.facades import Api
from support.facades import lock_sight
from support.facades import request_sight
from support.facades import worker_sight
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.explain.event import Event
from buildbot_balancer.explain.sights import BuilderSight
from buildbot_balancer.explain.sights import Sample
from buildbot_balancer.explain.sights import to_json
from buildbot_balancer.www.resources import ALL
from buildbot_balancer.www.resources import register

SIGHTS = {
    'balancer_worker': worker_sight(1, load=0.5),
    'balancer_request': request_sight(1),
    'balancer_lock': lock_sight('host', 'esx1'),
    'balancer_builder': BuilderSight(builderid=1, name='b'),
    'balancer_event': Event(kind='mood', at=1.5, worker='w1'),
    'balancer_sample': Sample(at=1.5, load=None, running=0),
}


def stock():
    """Buildbot's own data connector, on a master without ours."""
    data = DataConnector()
    data.parent = SimpleNamespace(master=SimpleNamespace(data=data))
    data._setup()
    return data


class Types(SynchronousTestCase):
    def test_each_resource_has_a_sight(self):
        self.assertEqual({each.name for each in ALL}, set(SIGHTS))

    @parameterized.expand([(each.name, each) for each in ALL])
    def test_the_fields_are_those_of_the_sight(self, name, rtype):
        fields = {field.name for field in attrs.fields(type(SIGHTS[name]))}
        self.assertEqual(rtype.entityType.fieldNames, fields)

    @parameterized.expand([(each.name, each) for each in ALL])
    def test_what_is_sent_is_what_the_type_says(self, name, rtype):
        self.assertEqual(list(rtype.entityType.validate(name, to_json(SIGHTS[name]))), [])

    @parameterized.expand([(each.name, each) for each in ALL])
    def test_a_field_of_a_wrong_type_would_be_found(self, name, rtype):
        wrong = dict.fromkeys(rtype.entityType.fieldNames, object())
        self.assertGreaterEqual(
            len(list(rtype.entityType.validate(name, wrong))), len(rtype.entityType.fieldNames)
        )

    @parameterized.expand([(each.name, each) for each in ALL])
    def test_the_type_can_be_described(self, name, rtype):
        self.assertIsInstance(rtype.entityType, types.Entity)
        self.assertTrue(rtype.entityType.toRaml()['properties'])
        json.dumps(rtype.entityType.getSpec())


class Registered(SynchronousTestCase):
    def test_none_of_them_hides_one_of_buildbots(self):
        names = set(vars(stock().rtypes))
        self.assertIn('worker', names)
        self.assertEqual(names & {name for each in ALL for name in (each.name, each.plural)}, set())

    def test_twice_is_once(self):
        api = Api()
        before = api.data.matcher.iterPatterns()
        register(api.master)
        self.assertEqual(api.data.matcher.iterPatterns(), before)

    def test_every_path_is_below_balancer(self):
        ours = {path for path, _ in Api().data.matcher.iterPatterns()}
        ours -= {path for path, _ in stock().matcher.iterPatterns()}
        self.assertGreater(len(ours), 10)
        self.assertEqual({path[0] for path in ours}, {'balancer'})

    def test_the_spec_lists_them_also_when_it_was_read_before(self):
        data = stock()
        master = data.master
        before = {each['path'] for each in data.allEndpoints()}
        register(master)
        after = {each['path'] for each in data.allEndpoints()}
        self.assertIn('balancer/requests/n:buildrequestid', after - before)
        self.assertIn('workers/n:workerid', after)
        json.dumps(data.allEndpoints())
