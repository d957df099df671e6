# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace

import attrs
from buildbot.plugins import util
from buildbot.plugins import worker
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master import checks
from buildbot_balancer.master.arguments import Arguments
from buildbot_balancer.master.checks import Names
from buildbot_balancer.master.settings import Settings
from buildbot_balancer.policy.gate import Gate
from buildbot_balancer.policy.policy import Policy
from buildbot_balancer.policy.tiers import Tiers

NAMES = Names(frozenset({'win-10', 'linux', 'b [1]'}), frozenset({'w1', 'w2'}))


def yes():
    return True


class Against(SynchronousTestCase):
    def said(self, **arguments):
        return list(checks.against_config(Settings.of(Arguments(**arguments)), NAMES))

    def test_what_matches_is_not_spoken_of(self):
        filters = [Tiers(['w1'], ['w*']), Gate('w?', yes)]
        self.assertEqual(
            self.said(
                builders=['win-*', 'linux'],
                policy=Policy(filters=filters),
                policies={'linux': Policy(), 'win*': Policy()},
            ),
            [],
        )

    def test_a_glob_of_builders_that_matches_none_is_named(self):
        self.assertEqual(
            self.said(builders=['win*', 'mac*']), ["builders: 'mac*' matches no builder"]
        )

    def test_a_glob_of_policies_that_matches_none_is_named(self):
        self.assertEqual(
            self.said(policies={'Linux': Policy()}), ["policies: 'Linux' matches no builder"]
        )

    def test_a_limit_that_matches_no_builder_is_named(self):
        self.assertEqual(
            self.said(max_running={'mac*': 1, 'win*': 2}),
            ["max_running: 'mac*' matches no builder"],
        )

    def test_an_order_that_would_ignore_the_configs_own_is_named(self):
        names = attrs.evolve(NAMES, prioritized=True)
        for order, count in ((None, 0), ('builder', 0), ('request', 1), ('worker', 1)):
            settings = Settings.of(Arguments(order=order))
            found = list(checks.against_config(settings, names))
            self.assertEqual(len(found), count, found)
        self.assertIn("would ignore c['prioritizeBuilders']", found[0])

    def test_a_name_with_brackets_matches_the_builder_of_that_name(self):
        self.assertEqual(self.said(builders=['b [1]'], policies={'b [1]': Policy()}), [])

    def test_a_glob_of_workers_that_matches_none_is_named_with_its_filter(self):
        filters = [Tiers(['w1'], ['fast*']), Gate('slow*', yes)]
        expected = ["Tiers: 'fast*' matches no worker", "Gate: 'slow*' matches no worker"]
        self.assertEqual(self.said(policy=Policy(filters=filters)), expected)
        self.assertEqual(self.said(policies={'linux': Policy(filters=filters)}), expected)


class NamesOfAConfig(SynchronousTestCase):
    def builders(self):
        factory = util.BuildFactory()
        return [
            util.BuilderConfig(name='object', workernames=['w1'], factory=factory),
            {'name': 'dict', 'workernames': ['w1'], 'factory': factory},
        ]

    def test_builders_may_be_objects_and_dicts(self):
        found = checks.names_of(
            {'builders': self.builders(), 'workers': [worker.Worker('w1', 'pw')]}
        )
        self.assertEqual(found, Names(frozenset({'object', 'dict'}), frozenset({'w1'})))

    def test_what_buildbot_itself_will_refuse_is_passed_over(self):
        found = checks.names_of({'builders': [None, {}, {'name': 7}, object()], 'workers': None})
        self.assertEqual(found, Names(frozenset(), frozenset()))
        self.assertEqual(checks.names_of({}), found)

    def test_a_loaded_config_has_the_same_names(self):
        config = SimpleNamespace(
            builders=[one for one in self.builders() if not isinstance(one, dict)],
            workers=[worker.Worker('w1', 'pw')],
        )
        self.assertEqual(checks.names_of(config), Names(frozenset({'object'}), frozenset({'w1'})))
