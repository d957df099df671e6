# SPDX-License-Identifier: GPL-2.0-or-later
"""What the data API has, its page in the documentation mentions."""

from __future__ import annotations

import re

from support.snippets import ROOT
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.report import REASON_LIMIT
from buildbot_balancer.explain import sights
from buildbot_balancer.explain.event import KINDS
from buildbot_balancer.www.builders import BalancerBuilderEndpoint
from buildbot_balancer.www.changes import MOST
from buildbot_balancer.www.control import REFUSED
from buildbot_balancer.www.history import NEWEST
from buildbot_balancer.www.resources import ALL
from buildbot_balancer.www.workers import BalancerWorkerEndpoint

STATES = {sights.PAUSED, sights.QUEUED, sights.RUNNING, sights.STUCK, sights.WAITING}


class ThePage(SynchronousTestCase):
    def setUp(self):
        self.text = (ROOT / 'docs' / 'api.rst').read_text(encoding='utf-8')
        self.literals = set(re.findall(r'``([^`]+)``', self.text))

    def test_every_path_is_mentioned(self):
        patterns = [p for rtype in ALL for ep in rtype.endpoints for p in ep.pathPatterns]
        paths = {re.sub(r'n:\w+', 'N', p).replace('s:lockname', 'NAME')[1:] for p in patterns}
        paths = {path for path in paths if 's:' not in path}  # by name: "its name will do"
        self.assertGreater(len(paths), 10)
        self.assertEqual(paths - self.literals, set())

    def test_every_field_is_mentioned(self):
        for rtype in ALL:
            fields = set(rtype.entityType.fieldNames)
            for field in rtype.entityType.fields.values():
                fields |= getattr(getattr(field, 'of', None), 'fieldNames', set())
            self.assertEqual(fields - self.literals, set(), rtype.name)

    def test_every_action_and_parameter_is_mentioned(self):
        for endpoint in (BalancerWorkerEndpoint, BalancerBuilderEndpoint):
            for name, action in endpoint.actions.items():
                self.assertIn(name, self.literals)
                self.assertEqual(set(action.parameters) - self.literals, set())

    def test_every_kind_of_event_and_state_of_a_request_is_mentioned(self):
        self.assertEqual({*KINDS, *STATES, sights.COMPLETE} - self.literals, set())

    def test_the_numbers_are_as_it_says(self):
        self.assertIn(f'the newest {NEWEST:,} events', self.text)
        self.assertIn(f'more than {MOST} of a kind', self.text)
        self.assertIn(f'at most {REASON_LIMIT} characters', self.text)
        self.assertIn(f' {REFUSED} ', self.text)
