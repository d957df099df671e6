# SPDX-License-Identifier: GPL-2.0-or-later
"""What ``from buildbot.plugins import util, steps`` finds, and the console script."""

from __future__ import annotations

import ast
import importlib
from importlib.metadata import distribution

import click
from buildbot.interfaces import IConfigurator
from buildbot.plugins import steps
from buildbot.plugins import util
from buildbot.util.service import BuildbotService
from support.snippets import ROOT
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyClass

from buildbot_balancer.cli.main import main
from buildbot_balancer.interfaces import IFilter
from buildbot_balancer.interfaces import IFleetFilter
from buildbot_balancer.interfaces import IScorer
from buildbot_balancer.policy.policy import Policy
from buildbot_balancer.policy.verdict import Verdict

# Configs outside this repository use these names.
PROMISED = {
    'Affinity',
    'Availability',
    'Balancer',
    'BalancerConfigurator',
    'BalancerControlEndpointMatcher',
    'BranchLock',
    'Capable',
    'Connected',
    'EagerFirst',
    'FastestFirst',
    'FewestBuilds',
    'Filter',
    'Gate',
    'HasCapacity',
    'LeastLoaded',
    'LocksFree',
    'MaxLoad',
    'Policy',
    'RunningBeforeLatent',
    'SharedMasterLock',
    'StepGroup',
    'Tiers',
    'Willing',
    'Window',
    'WorkerGroupLock',
    'canStartWhenAvailable',
    'nextAvailableWorker',
}
FILTERS = {'Capable', 'Connected', 'Filter', 'Gate', 'HasCapacity', 'LocksFree', 'MaxLoad'}
SCORERS = {
    'Affinity',
    'EagerFirst',
    'FastestFirst',
    'FewestBuilds',
    'LeastLoaded',
    'RunningBeforeLatent',
}


def declared():
    """Name to module, as setup.py says; it is read, not run, for its tools may be absent."""
    found = {}
    for node in ast.walk(ast.parse((ROOT / 'setup.py').read_text(encoding='utf-8'))):
        if isinstance(node, ast.Call) and getattr(node.func, 'id', '') == 'entries':
            module, *names = (argument.value for argument in node.args)
            found.update(dict.fromkeys(names, f'buildbot_balancer.{module}'))
    return found


class EntryPoints(SynchronousTestCase):
    def test_setup_py_declares_every_name_that_is_promised(self):
        self.assertEqual(PROMISED - set(declared()), set())

    def test_what_is_installed_is_what_setup_py_declares(self):
        points = distribution('buildbot-balancer').entry_points
        groups = {'buildbot.steps', 'buildbot.util'}
        installed = {p.name: p.value for p in points if p.group in groups}
        wanted = {name: f'{module}:{name}' for name, module in declared().items()}
        self.assertEqual(installed, wanted)

    def test_every_declared_name_can_be_had_from_util_or_steps(self):
        for name, module in declared().items():
            place = steps if '.steps.' in module else util
            self.assertIs(getattr(place, name), getattr(importlib.import_module(module), name))

    def test_steps_can_be_imported_beside_them(self):
        self.assertTrue(callable(steps.ShellCommand))

    def test_none_of_them_hides_a_name_of_buildbots(self):
        points = distribution('buildbot').entry_points
        stock = {p.name for p in points if p.group == 'buildbot.util'}
        self.assertEqual(stock & set(declared()), set())


class WhatTheyAre(SynchronousTestCase):
    def test_the_balancer_is_a_service(self):
        self.assertTrue(issubclass(util.Balancer, BuildbotService))

    def test_the_configurator_is_one(self):
        self.assertTrue(verifyClass(IConfigurator, util.BalancerConfigurator))

    def test_filters_provide_their_interface(self):
        for name in (*FILTERS, 'Willing', 'Tiers'):
            self.assertTrue(verifyClass(IFilter, getattr(util, name)), name)
        self.assertTrue(verifyClass(IFleetFilter, util.Tiers))

    def test_scorers_provide_their_interface(self):
        for name in SCORERS:
            self.assertTrue(verifyClass(IScorer, getattr(util, name)), name)

    def test_a_policy_can_be_made_of_the_defaults(self):
        made = util.Policy(filters=util.default_filters(), scorers=util.default_scorers())
        self.assertIsInstance(made, Policy)
        self.assertEqual(list(made.problems()), [])

    def test_the_callables_can_be_called(self):
        self.assertTrue(callable(util.nextAvailableWorker))
        self.assertTrue(callable(util.canStartWhenAvailable))

    def test_a_verdict_passes_or_says_why(self):
        self.assertIs(util.Verdict, Verdict)
        self.assertTrue(util.Verdict.yes().passes)


class ConsoleScript(SynchronousTestCase):
    def test_is_the_owners_command_line(self):
        points = distribution('buildbot-balancer').entry_points
        scripts = [p for p in points if p.group == 'console_scripts']
        self.assertEqual([p.name for p in scripts], ['buildbot-balancer'])
        self.assertIs(scripts[0].load(), main)
        self.assertIsInstance(main, click.Group)
