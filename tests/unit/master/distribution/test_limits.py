# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.distribution.limits import Limits


class Case(SynchronousTestCase):
    def setUp(self):
        self.builders = {
            name: SimpleNamespace(name=name, building=[])
            for name in ('nightly-a', 'nightly-b', 'ci')
        }
        self.limits = Limits(SimpleNamespace(botmaster=SimpleNamespace(builders=self.builders)))

    def may(self):
        return [name for name in self.builders if self.limits.may_start(name)]

    def run_one(self, builder):
        self.builders[builder].building.append(object())


class Running(Case):
    def test_without_limits_all_may(self):
        self.run_one('ci')
        self.assertEqual(self.may(), ['nightly-a', 'nightly-b', 'ci'])

    def test_builders_of_a_glob_have_so_many_together(self):
        self.limits.configure({'nightly-*': 2}, self.builders)
        self.run_one('nightly-a')
        self.assertEqual(self.may(), ['nightly-a', 'nightly-b', 'ci'])
        self.run_one('nightly-b')
        self.assertEqual(self.may(), ['ci'])
        self.builders['nightly-a'].building.clear()
        self.assertEqual(self.may(), ['nightly-a', 'nightly-b', 'ci'])

    def test_all_globs_that_match_count(self):
        self.limits.configure({'nightly-*': 5, 'nightly-a': 1, '*': 2}, self.builders)
        self.run_one('nightly-a')
        self.assertEqual(self.may(), ['nightly-b', 'ci'])
        self.run_one('ci')
        self.assertEqual(self.may(), [])

    def test_none_may_run_is_a_limit(self):
        self.limits.configure({'ci': 0}, self.builders)
        self.assertEqual(self.may(), ['nightly-a', 'nightly-b'])

    def test_a_builder_that_has_left_counts_no_more(self):
        self.limits.configure({'*': 1}, self.builders)
        self.run_one('ci')
        del self.builders['ci']
        self.assertEqual(self.may(), ['nightly-a', 'nightly-b'])

    def test_a_reconfig_replaces_all_limits(self):
        self.limits.configure({'*': 0}, self.builders)
        self.assertEqual(self.may(), [])
        self.limits.configure({}, self.builders)
        self.assertEqual(self.may(), ['nightly-a', 'nightly-b', 'ci'])
