# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from pathlib import Path

from buildbot.config.errors import ConfigErrors
from buildbot.config.errors import capture_config_errors
from buildbot.config.master import FileLoader
from buildbot.config.master import MasterConfig
from buildbot.interfaces import IConfigurator
from buildbot.locks import MasterLock
from buildbot.plugins import steps
from buildbot.plugins import util
from buildbot.plugins import worker
from buildbot.warnings import ConfigWarning
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.master import checks
from buildbot_balancer.master.balancer import Balancer
from buildbot_balancer.master.configurator import BalancerConfigurator
from buildbot_balancer.policy.policy import Policy
from buildbot_balancer.policy.tiers import Tiers

CONFIG = """\
from buildbot.plugins import util, worker
c = BuildmasterConfig = {{
    'workers': [worker.Worker('w1', 'pw')],
    'builders': [
        util.BuilderConfig(name='b', workernames=['w1'], factory=util.BuildFactory()),
        {{'name': 'd', 'workernames': ['w1'], 'factory': util.BuildFactory()}},
    ],
    'protocols': {{'pb': {{'port': 0}}}},
    'multiMaster': True,
    'buildbotNetUsageData': None,
}}
{more}
"""


class Case(SynchronousTestCase):
    def setUp(self):
        self.config = {
            'workers': [worker.Worker('w1', 'pw')],
            'builders': [
                util.BuilderConfig(name='b', workernames=['w1'], factory=util.BuildFactory()),
                {'name': 'd', 'workernames': ['w1'], 'factory': util.BuildFactory()},
            ],
        }

    def configure(self, *args, **kwargs):
        """The errors."""
        self.config.pop('services', None)
        with capture_config_errors() as errors:
            BalancerConfigurator(*args, **kwargs).configure(self.config)
        return errors.errors

    def problem(self, *args, **kwargs):
        found = self.configure(*args, **kwargs)
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith('util.BalancerConfigurator: '), found)
        return found[0]


class Page(Case):
    def test_a_web_server_gets_the_page_beside_what_it_has(self):
        www = self.config['www'] = {'port': 8010, 'plugins': {'console_view': {}}}
        self.assertEqual(self.configure(), [])
        plugins = {'console_view': {}, 'balancer': {}}
        self.assertEqual(self.config['www'], {'port': 8010, 'plugins': plugins})
        self.assertEqual(www['plugins'], {'console_view': {}})  # which may be of two masters

    def test_what_the_config_says_of_the_page_stays(self):
        self.config['www'] = {'plugins': {'balancer': {'some': 'thing'}}}
        self.configure()
        self.assertEqual(self.config['www']['plugins'], {'balancer': {'some': 'thing'}})

    def test_without_a_web_server_there_is_none(self):
        self.configure()
        self.assertNotIn('www', self.config)

    def test_what_is_no_web_server_is_left_for_buildbot_to_refuse(self):
        for www in (None, 'yes', {'plugins': None}, {'plugins': []}):
            self.config['www'] = www
            self.configure()
            self.assertEqual(self.config['www'], www)


class Adding(Case):
    def test_it_is_a_configurator(self):
        verifyObject(IConfigurator, BalancerConfigurator())

    def test_it_adds_the_service_with_its_arguments(self):
        self.assertEqual(self.configure(['b'], recheck=5), [])
        (service,) = self.config['services']
        self.assertIsInstance(service, Balancer)
        self.assertEqual(service.planned().builders, ('b',))
        self.assertEqual(service.planned().recheck, 5)

    def test_services_that_are_there_stay(self):
        other = object()
        self.config['services'] = [other]
        BalancerConfigurator().configure(self.config)
        self.assertIs(self.config['services'][0], other)
        self.assertEqual(len(self.config['services']), 2)

    def test_builders_that_are_objects_and_dicts_both_count(self):
        self.assertEqual(self.configure(builders=['b', 'd'], policies={'d': Policy()}), [])


class Refusing(Case):
    def test_a_wrong_argument_is_one_sentence(self):
        self.assertIn('recheck must be', self.problem(recheck='often'))
        self.assertIn('polcy', self.problem(polcy=None))

    def test_an_unknown_glob_is_an_error(self):
        self.assertIn("'typo*' matches no builder", self.problem(builders=['b', 'typo*']))
        self.assertIn("'typo*' matches no builder", self.problem(policies={'typo*': Policy()}))
        tiers = Policy(filters=[Tiers(['w9'])])
        self.assertIn("'w9' matches no worker", self.problem(policy=tiers))

    def test_a_second_balancer_is_an_error(self):
        for way in (Balancer(), BalancerConfigurator()):
            self.config['services'] = []
            if isinstance(way, Balancer):
                self.config['services'].append(way)
            else:
                way.configure(self.config)
            with capture_config_errors() as errors:
                BalancerConfigurator().configure(self.config)
            self.assertIn('has a util.Balancer already', errors.errors[0])
            self.assertEqual(len(self.config['services']), 1)


class LocksOfTheWholeConfig(Case):
    """What they are is tested in unit/locks/test_checks.py."""

    def test_a_problem_is_an_error(self):
        hold = BranchLock('version').access('exclusive')
        step = steps.ShellCommand(name='make', command=['make'], locks=[hold])
        self.config['builders'][1].update(locks=[hold], factory=util.BuildFactory([step]))
        self.assertEqual(
            self.problem(),
            "util.BalancerConfigurator: step 'make' takes the lock 'version', which the builder"
            " 'd' holds already",
        )

    def test_all_problems_are_told_also_beside_a_wrong_argument(self):
        self.config['workers'] = [
            worker.Worker(name, 'pw', locks=[BranchLock('version').access('counting')])
            for name in ('w1', 'w2')
        ]
        found = self.configure(recheck='often')
        self.assertEqual(
            [one.split(': ')[1] for one in found],
            [
                "recheck must be a number of seconds, at least 1, not 'often'",
                "worker 'w1'",
                "worker 'w2'",
            ],
        )

    def test_what_is_odd_is_a_warning_as_buildbots_own_are(self):
        host = WorkerGroupLock('host', workerToGroup={'w9': 'a'})
        self.config['builders'][0].locks = [host.access('counting')]
        self.assertEqual(self.configure(), [])
        (told,) = self.flushWarnings()
        self.assertIs(told['category'], ConfigWarning)
        self.assertEqual(
            told['message'],
            "util.BalancerConfigurator: WorkerGroupLock 'host': workerToGroup: 'w9' matches no"
            ' worker',
        )


class Rubbish(Case):
    """Buildbot itself says what is wrong with it; nothing of ours may stand in its way."""

    RUBBISH = (None, 'text', b'bytes', 7, 1.5, {}, {'a': 1}, [None], [7, 'x'], [[]], [{}], object())

    def passes(self):
        self.assertEqual(self.configure(), [])
        self.assertEqual(self.flushWarnings(), [])
        self.assertEqual(len(self.config['services']), 1)

    def test_builders_and_workers_of_any_kind(self):
        for one in self.RUBBISH:
            for key in ('builders', 'workers'):
                self.config = {key: one}
                self.passes()
        self.config = {}
        self.passes()

    def test_builders_with_anything_in_them(self):
        for one in self.RUBBISH:
            for key in ('name', 'workernames', 'workername', 'factory', 'locks'):
                self.config['builders'] = [
                    {'name': 'd', 'workernames': ['w1'], 'factory': util.BuildFactory(), key: one},
                    {key: one},
                ]
                self.passes()

    def test_factories_with_anything_in_them(self):
        for one in self.RUBBISH:
            for given in (one, [one]):
                factory = util.BuildFactory()
                factory.steps = given
                self.config['builders'][0].factory = factory
                self.config['builders'][0].locks = [MasterLock('m').access('counting')]
                self.passes()

    def test_steps_with_anything_in_their_arguments(self):
        for one in self.RUBBISH:
            for key in ('name', 'locks', 'steps', 'command'):
                made = steps.ShellCommand(command=['make']).get_step_factory()
                made.kwargs = {'command': ['make'], key: one}
                other = steps.ShellCommand(command=['make']).get_step_factory()
                other.args, other.kwargs = (one,), one
                self.config['builders'][0].factory = util.BuildFactory([made, other])
                self.config['builders'][0].locks = [MasterLock('m').access('counting')]
                self.passes()

    def test_locks_with_anything_in_them(self):
        for one in self.RUBBISH:
            lock = MasterLock(one)
            self.config['builders'][0].locks = [one, lock, lock.access('counting')]
            self.config['workers'] = [worker.Worker('w1', 'pw', locks=[one, lock])]
            self.passes()
            self.config['builders'][0].locks = [MasterLock('m', one).access('counting', 0)]
            self.passes()


class Checkconfig(SynchronousTestCase):
    """As ``buildbot checkconfig`` and the master load the file."""

    def load(self, more):
        Path('master.cfg').write_text(CONFIG.format(more=more))
        return FileLoader('.', 'master.cfg').loadConfig()

    def errors(self, more):
        found = self.assertRaises(ConfigErrors, self.load, more).errors
        for said in found:
            self.assertNotIn('Traceback', said)
            self.assertEqual(len(said.splitlines()), 1)
        return found

    def test_one_line_is_enough(self):
        config = self.load("c['configurators'] = [util.BalancerConfigurator()]")
        self.assertIsInstance(config, MasterConfig)
        self.assertIsInstance(config.services['balancer'], Balancer)

    def test_the_service_alone_is_enough(self):
        config = self.load("c['services'] = [util.Balancer(builders=['d'])]")
        self.assertIsInstance(config.services['balancer'], Balancer)

    def test_what_is_wrong_is_a_sentence_either_way(self):
        for more in (
            "c['services'] = [util.Balancer(builders=7, recheck=0)]",
            "c['configurators'] = [util.BalancerConfigurator(builders=7, recheck=0)]",
        ):
            found = self.errors(more)
            self.assertEqual(len(found), 2, found)
            self.assertIn('builders must be', found[0])
            self.assertIn('recheck must be', found[1])

    def test_an_argument_that_there_is_not_is_a_sentence_either_way(self):
        for name, key in (('Balancer', 'services'), ('BalancerConfigurator', 'configurators')):
            (said,) = self.errors(f'c[{key!r}] = [util.{name}(polcy=1)]')
            self.assertIn("'polcy'", said)

    def test_an_unknown_glob_is_an_error_of_the_configurator(self):
        (said,) = self.errors("c['configurators'] = [util.BalancerConfigurator(builders=['typo'])]")
        self.assertIn("'typo' matches no builder", said)

    def test_services_that_are_no_list_are_told_in_one_sentence(self):
        for services in ('7', "'text'", 'None', '()'):
            more = f"c['services'] = {services}\nc['configurators'] = [util.BalancerConfigurator()]"
            found = self.errors(more)
            self.assertIn('services', ' '.join(found))

    def test_what_a_later_configurator_adds_is_left_to_the_service(self):
        more = """
from zope.interface import implementer
from buildbot.interfaces import IConfigurator
version = util.BranchLock('version').access('exclusive')

@implementer(IConfigurator)
class Adds:
    def configure(self, config_dict):
        config_dict['workers'].append(worker.Worker('w2', 'pw', locks=[version]))

c['configurators'] = [util.BalancerConfigurator(), Adds()]
"""
        config = self.load(more)
        (said,) = checks.findings(config.services['balancer'].planned(), config)
        self.assertIn("worker 'w2': a worker has no branch", said)
