# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from buildbot.config import BuilderConfig
from buildbot.config.errors import capture_config_errors
from buildbot.process.factory import BuildFactory
from buildbot.steps.shell import ShellCommand
from buildbot.worker import Worker
from buildbot.worker.local import LocalWorker
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.locks.outline import Outline


class Raising(BuildFactory):
    """Code of a config that fails where it is looked at."""

    @property
    def steps(self) -> Any:
        raise RuntimeError('a defect of the config')

    @steps.setter
    def steps(self, value: Any) -> None:
        pass


def a_builder(**more: Any) -> dict[str, Any]:
    factory = BuildFactory([ShellCommand(command=['make'])])
    return {'name': 'b', 'workernames': ['w1', 'w2'], 'factory': factory, **more}


def shown(outline: Outline) -> Any:
    return (
        [(b.name, b.workernames, b.locks, len(b.steps or ())) for b in outline.builders],
        [(w.name, w.locks) for w in outline.workers],
    )


class OfAConfig(SynchronousTestCase):
    def test_builders_may_be_objects_and_dicts_and_mean_the_same(self) -> None:
        given = a_builder(locks=['lock'])
        expected = ([('b', ('w1', 'w2'), ['lock'], 1)], [])
        self.assertEqual(shown(Outline.of({'builders': [given]})), expected)
        self.assertEqual(shown(Outline.of({'builders': (BuilderConfig(**given),)})), expected)

    def test_a_loaded_config_has_the_same_outline_as_its_dict(self) -> None:
        config = {
            'builders': [BuilderConfig(**a_builder())],
            'workers': [Worker('w1', 'pw', locks=['lock']), LocalWorker('w2')],
        }
        found = Outline.of(SimpleNamespace(**config))
        self.assertEqual(shown(found), shown(Outline.of(config)))
        self.assertEqual(shown(found)[1], [('w1', ['lock']), ('w2', [])])

    def test_an_outline_is_its_own(self) -> None:
        outline = Outline.of({})
        self.assertIs(Outline.of(outline), outline)

    def test_the_ways_to_name_workers(self) -> None:
        for more, expected in (
            ({'workernames': 'w1'}, ('w1',)),
            ({'workernames': ['w1'], 'workername': 'w2'}, ('w1', 'w2')),
            ({'workernames': None, 'workername': 'w2'}, ('w2',)),
            ({'workernames': 7, 'workername': ['w2']}, ()),
            ({'workernames': ['w1', None, '']}, ('w1',)),
        ):
            (found,) = Outline.of({'builders': [a_builder(**more)]}).builders
            self.assertEqual(found.workernames, expected)

    def test_a_name_may_be_bytes_as_for_buildbot(self) -> None:
        (found,) = Outline.of({'builders': [a_builder(name=b'b')]}).builders
        self.assertEqual(found.name, BuilderConfig(**a_builder(name=b'b')).name)


class OfRubbish(SynchronousTestCase):
    RUBBISH = (None, 'text', b'bytes', 7, {}, {'a': 1}, [None], object(), iter([1]), [{}], [[]])

    def test_what_cannot_be_read_is_left_out(self) -> None:
        for one in self.RUBBISH:
            found = Outline.of({'builders': one, 'workers': one})
            self.assertEqual(shown(found), ([], []), one)
        self.assertEqual(shown(Outline.of({})), ([], []))

    def test_what_can_be_read_beside_it_stays(self) -> None:
        entries = [None, {'name': 7}, a_builder(), object()]
        self.assertEqual(len(Outline.of({'builders': entries}).builders), 1)
        workers = ['w0', Worker('w1', 'pw'), Worker]
        self.assertEqual([w.name for w in Outline.of({'workers': workers}).workers], ['w1'])

    def test_a_builder_without_a_good_factory_is_still_one(self) -> None:
        for factory in (None, 'make', Raising(), SimpleNamespace(steps=7)):
            with capture_config_errors():
                both = [a_builder(factory=factory), BuilderConfig(**a_builder(factory=factory))]
            found = Outline.of({'builders': both})
            self.assertEqual([one.name for one in found.builders], ['b', 'b'])

    def test_nothing_is_used_up(self) -> None:
        entries = iter([a_builder()])
        Outline.of({'builders': entries})
        self.assertEqual(len(list(entries)), 1)
