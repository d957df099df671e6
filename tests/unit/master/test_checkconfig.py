# SPDX-License-Identifier: GPL-2.0-or-later
"""What somebody sees who runs ``buildbot checkconfig`` on a config with locks."""

from __future__ import annotations

import textwrap
from pathlib import Path

from support.snippets import checkconfig
from twisted.trial.unittest import SynchronousTestCase

CONFIG = """\
from buildbot.plugins import schedulers, steps, util, worker

host = util.WorkerGroupLock('host', 2, workerToGroup={'w1': 'esx1', 'w2': 'esx1'})
jtag = util.WorkerLock('jtag')
version = util.BranchLock('version')
c = BuildmasterConfig = {}
c['buildbotNetUsageData'] = None
c['protocols'] = {'pb': {'port': 'tcp:0:interface=127.0.0.1'}}
c['workers'] = [worker.Worker('w1', 'pw'), worker.Worker('w2', 'pw')]
test = steps.StepGroup(name='test', locks=[jtag.access('exclusive')], steps=[
    steps.ShellCommand(name='1', command=['make', 'check']),
])
b = {
    'name': 'b',
    'workernames': ['w1', 'w2'],
    'factory': util.BuildFactory([test]),
    'locks': [host.access('counting'), version.access('exclusive')],
}
c['builders'] = [b]
c['schedulers'] = [schedulers.ForceScheduler(name='force', builderNames=['b'])]
c['configurators'] = [util.BalancerConfigurator()]
"""
GOOD = 'Config file is good!\n'


class TheConfig(SynchronousTestCase):
    def check(self, more=''):
        """(exit code, stdout, stderr)."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(parents=True)
        config = folder / 'master.cfg'
        config.write_text(CONFIG + textwrap.dedent(more), encoding='utf-8')
        done = checkconfig(config)
        return done.returncode, done.stdout, done.stderr

    def refused(self, more):
        """Its one sentence."""
        code, _, said = self.check(more)
        self.assertEqual(code, 1, said)
        self.assertNotIn('Traceback', said)
        title, *lines = said.splitlines()
        self.assertEqual(title, 'Configuration Errors:')
        self.assertEqual(len(lines), 1, lines)
        return lines[0].strip()

    def test_a_good_one_is_good(self):
        self.assertEqual(self.check(), (0, GOOD, ''))

    def test_one_name_with_two_definitions(self):
        said = self.refused("""
            other = util.WorkerGroupLock('host', 3).access('counting')
            make = steps.ShellCommand(name='make', command=['make'], locks=[other])
            b.update(factory=util.BuildFactory([make]), locks=[])
            c['workers'][0] = worker.Worker('w1', 'pw', locks=[host.access('counting')])
        """)
        self.assertEqual(
            said,
            "util.BalancerConfigurator: the lock 'host' is defined in two ways: one is used by"
            " step 'make' of builder 'b', the other by worker 'w1'",
        )

    def test_a_step_of_a_group_with_the_lock_of_the_group(self):
        said = self.refused("""
            step = steps.ShellCommand(name='1', command=['make'], locks=[jtag.access('exclusive')])
            steps.StepGroup(name='test', locks=[jtag.access('exclusive')], steps=[step])
        """)
        self.assertEqual(
            said,
            "StepGroup 'test': step '1' takes the lock 'jtag', which the group holds already",
        )

    def test_a_step_with_the_lock_of_its_builder_in_a_group_or_not(self):
        for step in ('step', "steps.StepGroup('a', [steps.StepGroup('b', [step])])"):
            said = self.refused(f"""
                step = steps.ShellCommand(
                    name='1', command=['make'], locks=[version.access('exclusive')]
                )
                b['factory'] = util.BuildFactory([{step}])
                c['builders'] = [util.BuilderConfig(**b)]
            """)
            self.assertEqual(
                said,
                "util.BalancerConfigurator: step '1' takes the lock 'version', which the builder"
                " 'b' holds already",
            )

    def test_a_branch_lock_on_a_worker(self):
        said = self.refused("""
            b['locks'] = []
            c['workers'][0] = worker.Worker('w1', 'pw', locks=[version.access('counting')])
        """)
        self.assertIn("util.BalancerConfigurator: worker 'w1': a worker has no branch", said)

    def test_a_count_that_no_worker_of_the_builder_ever_has(self):
        said = self.refused("""
            host = util.WorkerGroupLock('host', 1, {'big': 4}, {'w1': 'small', 'w9': 'big'})
            b['locks'] = [host.access('counting', 3)]
            b['workernames'] = ['w1']
            c['workers'] += [worker.Worker('w9', 'pw')]
        """)
        self.assertEqual(
            said,
            "util.BalancerConfigurator: builder 'b' wants 3 units of the lock 'host', and no"
            ' worker of the builder ever has more than 1',
        )

    def test_what_is_merely_odd_is_printed_and_the_config_is_good(self):
        code, printed, said = self.check("""
            host = util.WorkerGroupLock('host', workerToGroup={'w1': 'a', 'w7': 'b'})
            b['locks'] = [host.access('counting')]
        """)
        self.assertEqual((code, printed), (0, GOOD))
        self.assertEqual(said.count('ConfigWarning'), 2)  # the line, and Python's quote of ours
        self.assertIn(
            "ConfigWarning: util.BalancerConfigurator: WorkerGroupLock 'host': workerToGroup:"
            " 'w7' matches no worker\n",
            said,
        )

    def test_what_buildbot_itself_refuses_is_said_by_buildbot_alone(self):
        for more, expected in (
            ('c["builders"] = None', "c['builders'] must be a list"),
            ('c["workers"] = "w1"', "c['workers'] must be a list"),
            ('b["factory"] = None', "builder 'b': has no factory"),
        ):
            code, _, said = self.check(more)
            self.assertEqual(code, 1, said)
            self.assertIn(expected, said)
            self.assertNotIn('Balancer', said)
            self.assertNotIn('Traceback', said)
