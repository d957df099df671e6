# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import attrs
from support.logs import LogLines
from support.reporters import without_module
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.report import Report
from buildbot_balancer.reporter.sampler import Sampler
from buildbot_balancer.reporter.sampler import default_probes


class Saying:
    """A probe that says, or raises, one thing after the other."""

    def __init__(self, name, *said):
        self.name = name
        self._said = list(said)

    def sample(self, now):
        said = self._said.pop(0)
        if isinstance(said, Exception):
            raise said
        return said


class Shielding(SynchronousTestCase):
    def test_values_have_the_names_of_their_probes(self):
        sampler = Sampler([Saying('load', 0.5), Saying('cpus', 4)])
        self.assertEqual(sampler.sample(0), {'load': 0.5, 'cpus': 4})

    def test_what_is_unknown_is_missing_and_not_zero(self):
        self.assertEqual(Sampler([Saying('load', None), Saying('cpu', 0.0)]).sample(0), {'cpu': 0})

    def test_a_probe_that_fails_is_unknown_and_the_others_are_asked(self):
        sampler = Sampler([Saying('load', OSError('no /proc')), Saying('cpus', 4)])
        self.assertEqual(sampler.sample(0), {'cpus': 4})

    def test_a_failure_is_one_line_until_it_is_another_or_was_mended(self):
        lines = LogLines(self)
        said = [OSError('a'), OSError('a'), OSError('b'), 1.0, OSError('b')]
        sampler = Sampler([Saying('load', *said)])
        for _ in said:
            sampler.sample(0)
        found = [line for line in lines.ours() if '"load" failed' in line]
        self.assertEqual([line[-1] for line in found], ['a', 'b', 'b'])
        self.assertIn('unknown', found[0])

    def test_the_probes_are_given_the_time(self):
        seen = []

        class Probe:
            name = 'load'

            def sample(self, now):
                seen.append(now)

        Sampler([Probe()]).sample(12.5)
        self.assertEqual(seen, [12.5])


class Defaults(SynchronousTestCase):
    def test_each_probe_fills_a_field_of_the_report(self):
        fields = {one.name for one in attrs.fields(Report)}
        for probe in default_probes(shared_process=False):
            self.assertIn(probe.name, fields)

    def test_what_is_measured_here_makes_a_report_that_a_master_takes(self):
        sampler = Sampler(default_probes(shared_process=False))
        sampler.sample(1000.0)
        values = sampler.sample(1010.0)
        report = Report(incarnation='i', seq=1, mood=Mood.EAGER, **values)
        self.assertEqual(Report.from_wire(report.to_wire()), report)
        self.assertLessEqual({'load', 'own', 'cpu', 'memory', 'cpus', 'host', 'facts'}, set(values))

    def test_own_work_is_not_measured_where_workers_share_a_process(self):
        names = {probe.name for probe in default_probes(shared_process=True)}
        self.assertNotIn('own', names)
        self.assertIn('load', names)

    def test_without_psutil_what_needs_it_is_missing_and_the_rest_is_known(self):
        with without_module('psutil'):
            sampler = Sampler(default_probes(shared_process=False))
            for now in (1000.0, 1010.0):
                values = sampler.sample(now)
        self.assertEqual(set(values), {'load', 'cpus', 'host', 'facts'})
