# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any
from weakref import ref

from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.plugins import util
from buildbot.process.buildstep import BuildStep
from buildbot.process.factory import BuildFactory
from buildbot.steps.shell import ShellCommand
from buildbot.worker import Worker
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.locks import config
from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.locks.outline import Outline
from buildbot_balancer.steps.group import StepGroup

LOCK = WorkerLock('lock')
HOLD = LOCK.access('exclusive')


class Locked(BuildStep):
    name = 'locked'
    locks = (HOLD,)


class OddFactory:
    """As no step factory is."""

    kwargs = 'text'

    @property
    def args(self) -> Any:
        raise RuntimeError('a defect of the config')


def uses(*steps: Any, locks: Any = (), worker_locks: Any = ()) -> list[tuple[str, str]]:
    factory = SimpleNamespace(steps=list(steps))
    outline = Outline.of(
        {
            'builders': [
                {'name': 'b', 'workernames': ['w1'], 'factory': factory, 'locks': locks},
            ],
            'workers': [Worker('w1', 'pw', locks=list(worker_locks))],
        }
    )
    return [(use.lockid.name, use.where) for use in config.uses_in(outline)]


class UsesIn(SynchronousTestCase):
    def test_those_of_builders_steps_and_workers(self) -> None:
        locks = [MasterLock(name).access('counting') for name in 'abc']
        step = ShellCommand(name='make', command=['make'], locks=[locks[1]])
        self.assertEqual(
            uses(step, locks=[locks[0]], worker_locks=[locks[2]]),
            [('a', "builder 'b'"), ('b', "step 'make' of builder 'b'"), ('c', "worker 'w1'")],
        )

    def test_steps_and_factories_of_steps(self) -> None:
        step = ShellCommand(name='make', command=['make'], locks=[HOLD])
        expected = [('lock', "step 'make' of builder 'b'")]
        self.assertEqual(uses(step), expected)
        self.assertEqual(uses(*BuildFactory([step]).steps), expected)

    def test_groups_of_steps_however_their_arguments_are_given(self) -> None:
        step = ShellCommand(name='make', command=['make'], locks=[HOLD])
        expected = [('lock', "step 'make' of builder 'b'")]
        self.assertEqual(uses(StepGroup(name='test', steps=[step])), expected)
        self.assertEqual(uses(StepGroup('test', [step])), expected)
        self.assertEqual(uses(StepGroup('a', [StepGroup('b', [step])])), expected)

    def test_locks_that_a_class_of_steps_has(self) -> None:
        self.assertEqual(uses(Locked()), [('lock', "step 'locked' of builder 'b'")])
        self.assertEqual(uses(Locked(locks=[])), [])

    def test_a_bare_lock_counts_too(self) -> None:
        self.assertEqual(uses(locks=[LOCK]), [('lock', "builder 'b'")])

    def test_a_name_that_is_rendered_is_not_shown(self) -> None:
        step = ShellCommand(name=util.Property('x'), command=['make'], locks=[HOLD])
        self.assertEqual(uses(step), [('lock', "step 'step' of builder 'b'")])

    def test_what_a_renderable_gives_is_not_known(self) -> None:
        self.assertEqual(uses(locks=util.Property('locks')), [])
        self.assertEqual(uses(StepGroup('test', util.Property('steps'))), [])

    def test_an_odd_step_is_passed_over_and_the_next_one_is_not(self) -> None:
        good = ShellCommand(name='make', command=['make'], locks=[HOLD])
        for odd in (None, 7, 'text', {}, object(), OddFactory(), ShellCommand, Worker('w', 'pw')):
            self.assertEqual(len(uses(odd, good)), 1, odd)
        broken = ShellCommand(command=['make']).get_step_factory()
        broken.args, broken.kwargs = (1, 2, 3), None
        self.assertEqual(len(uses(broken, good)), 1)

    def test_odd_locks_are_passed_over(self) -> None:
        odd = [None, 7, 'lock', MasterLock(['list']), MasterLock(None).access('counting')]
        self.assertEqual(uses(locks=odd, worker_locks=odd), [])
        self.assertEqual(uses(locks='lock'), [])


class Loaded:
    def __init__(self, builder: Any) -> None:
        self.builders = [builder]
        self.workers: list[Any] = []


def loaded(*locks: Any) -> Loaded:
    builder = util.BuilderConfig(
        name='b',
        workernames=['w1'],
        factory=BuildFactory(),
        locks=[lock.access('counting') for lock in locks],
    )
    return Loaded(builder)


class Newest(SynchronousTestCase):
    def setUp(self) -> None:
        self.real = WorkerGroupLock.lockClass('lock')

    def test_it_is_found_by_class_and_name(self) -> None:
        lock = WorkerGroupLock('lock', 2)
        now = loaded(MasterLock('lock'), lock)
        self.assertIs(config.newest(now, self.real), lock)
        self.assertIsNone(config.newest(now, WorkerGroupLock.lockClass('other')))

    def test_it_is_that_of_the_config_that_is_asked_for(self) -> None:
        locks = [WorkerGroupLock('lock', n) for n in (1, 2)]
        configs = [loaded(lock) for lock in locks]
        for _ in range(2):
            for lock, one in zip(locks, configs):
                self.assertIs(config.newest(one, self.real), lock)

    def test_of_two_definitions_it_is_the_first(self) -> None:
        locks = [WorkerGroupLock('lock', n) for n in (1, 2)]
        self.assertIs(config.newest(loaded(*locks), self.real), locks[0])

    def test_a_config_that_is_gone_is_let_go(self) -> None:
        now = loaded(WorkerGroupLock('lock'))
        config.newest(now, self.real)
        watch = ref(now)
        del now
        gc.collect()
        self.assertIsNone(watch())
