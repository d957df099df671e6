# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may control workers and builders."""

from __future__ import annotations

from buildbot.plugins import util
from buildbot.www.authz import Authz
from buildbot.www.authz import Forbidden
from buildbot.www.authz.authz import reStrMatcher
from buildbot.www.authz.endpointmatchers import EndpointMatcherBase
from parameterized import parameterized
from support.facades import Api
from support.facades import worker_sight
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.explain.sights import BuilderSight
from buildbot_balancer.www.authz import UNGUARDED
from buildbot_balancer.www.authz import BalancerControlEndpointMatcher
from buildbot_balancer.www.authz import unguarded

ROLES = {'ann': {'admins'}, 'bob': {'owners'}, 'cyd': set()}


class RolesByName:
    def setAuthz(self, authz):
        pass

    def getRolesFromUser(self, details):
        return ROLES[details['username']]


class ByClass(EndpointMatcherBase):
    """As a config author would write one of their own, in the style of Buildbot's."""

    def match_BalancerWorkerEndpoint_drain(self, endpoint, kwargs, options):
        return None


class Rules(SynchronousTestCase):
    def setUp(self):
        self.api = Api()
        self.api.facade.sight.all_workers = [
            worker_sight(1, name='ann-laptop'),
            worker_sight(2, name='farm-1'),
        ]
        self.api.facade.sight.all_builders = [BuilderSight(builderid=1, name='nightly/x')]

    def use(self, *rules, **more):
        self.authz = Authz(allowRules=list(rules), roleMatchers=[RolesByName()], **more)
        self.authz.setMaster(self.api.master)

    def may(self, user, path, action='drain', prefix='balancer/'):
        asked = self.authz.assertUserAllowed(
            tuple(f'{prefix}{path}'.split('/')), action, {}, {'username': user}
        )
        failures = []
        asked.addErrback(failures.append)
        self.successResultOf(asked)
        for failure in failures:
            failure.trap(Forbidden)
        return not failures

    def test_a_stock_rule_for_all_control_holds_for_ours(self):
        self.use(util.AnyControlEndpointMatcher(role='admins'))
        self.assertTrue(self.may('ann', 'workers/1'))
        self.assertFalse(self.may('bob', 'workers/1'))
        self.assertFalse(self.may('bob', 'builders/1', 'pause'))
        self.assertTrue(self.may('cyd', 'workers/1', 'GET'))

    def test_ours_lets_others_control_no_more_than_ours(self):
        self.use(
            BalancerControlEndpointMatcher(role='owners'),
            util.AnyControlEndpointMatcher(role='admins'),
        )
        self.assertTrue(self.may('bob', 'workers/1'))
        self.assertTrue(self.may('bob', 'builders/1', 'pause'))
        self.assertFalse(self.may('bob', 'workers/1', 'kill', prefix=''))
        self.assertFalse(self.may('ann', 'workers/1'))
        self.assertTrue(self.may('ann', 'workers/1', 'kill', prefix=''))

    def test_one_worker_can_be_left_to_its_owner(self):
        self.use(
            BalancerControlEndpointMatcher(role='owners', worker='ann-*', defaultDeny=False),
            BalancerControlEndpointMatcher(role='admins'),
        )
        self.assertTrue(self.may('bob', 'workers/1'))
        self.assertTrue(self.may('bob', 'workers/ann-laptop'))
        self.assertFalse(self.may('bob', 'workers/2'))
        self.assertFalse(self.may('bob', 'workers/farm-1'))
        self.assertFalse(self.may('bob', 'builders/1', 'pause'))
        self.assertTrue(self.may('ann', 'workers/1'))

    def test_so_can_a_builder(self):
        self.use(
            BalancerControlEndpointMatcher(role='owners', builder='nightly/*', defaultDeny=False),
            BalancerControlEndpointMatcher(role='admins'),
        )
        self.assertTrue(self.may('bob', 'builders/1', 'pause'))
        self.assertFalse(self.may('bob', 'workers/1'))

    def test_names_are_matched_as_the_rules_say(self):
        self.use(
            BalancerControlEndpointMatcher(role='admins', worker='ann.*'),
            stringsMatcher=reStrMatcher,
        )
        self.assertFalse(self.may('cyd', 'workers/1'))
        self.assertTrue(self.may('cyd', 'workers/2'))

    @parameterized.expand([('GET',), ('get',), ('HEAD',), ('OPTIONS',)])
    def test_reading_is_not_controlling(self, method):
        self.use(BalancerControlEndpointMatcher(role='admins'))
        self.assertTrue(self.may('cyd', 'workers/1', method))

    def test_an_action_that_there_is_not_is_guarded_too(self):
        self.use(BalancerControlEndpointMatcher(role='admins'))
        self.assertFalse(self.may('cyd', 'workers/1', 'explode'))

    @parameterized.expand([('workers/9',), ('nothing',), ('workers/nobody',), ('requests',)])
    def test_what_cannot_be_controlled_is_not_matched(self, path):
        self.use(BalancerControlEndpointMatcher(role='admins', worker='*', builder='*'))
        self.assertTrue(self.may('cyd', path))

    def test_without_a_balancer_nothing_is_left_open(self):
        self.use(BalancerControlEndpointMatcher(role='admins'))
        self.api.services.clear()
        self.assertFalse(self.may('cyd', 'workers/1'))


class Unguarded(SynchronousTestCase):
    def said(self, *rules):
        return unguarded({'port': 8010, 'authz': Authz(allowRules=list(rules))})

    def test_without_rules_everybody_may(self):
        self.assertEqual(self.said(), UNGUARDED)
        self.assertEqual(unguarded({'port': 8010}), UNGUARDED)

    def test_rules_about_other_things_change_nothing(self):
        self.assertEqual(
            self.said(
                util.StopBuildEndpointMatcher(role='x'),
                util.ForceBuildEndpointMatcher(role='x'),
                util.RebuildBuildEndpointMatcher(role='x'),
                util.EnableSchedulerEndpointMatcher(role='x'),
            ),
            UNGUARDED,
        )

    @parameterized.expand(
        [
            ('stock', util.AnyControlEndpointMatcher(role='x')),
            ('any', util.AnyEndpointMatcher(role='x')),
            ('ours', BalancerControlEndpointMatcher(role='x')),
            ('by class', ByClass(role='x')),
        ]
    )
    def test_a_rule_about_us_is_enough(self, kind, rule):
        self.assertEqual(self.said(util.StopBuildEndpointMatcher(role='x'), rule), '')

    def test_without_a_web_server_nobody_may(self):
        self.assertEqual(unguarded({'port': None, 'authz': Authz()}), '')
        self.assertEqual(unguarded({}), '')
