# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import weakref
from types import SimpleNamespace
from typing import Any

from buildbot.locks import BaseLock
from buildbot.locks import MasterLock
from buildbot.process.build import Build
from buildbot.process.workerforbuilder import States
from support.logs import LogLines
from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.text import clean
from buildbot_balancer.master.locks import parents
from buildbot_balancer.master.locks.parents import Deadlock
from buildbot_balancer.master.locks.parents import Parents

ACCESS = MasterLock('host').access('counting')
REMEDY = 'can go on; stop one, or take the lock in one of them only'


class AStep:
    """Fit to hold a lock."""

    def __init__(self, name: str, results: int | None = None) -> None:
        self.name = name
        self.results = results
        self._acquiringLocks: list[Any] = []
        self._locks_to_acquire: list[Any] = []


class ABuilder(SimpleNamespace):
    __hash__ = object.__hash__


class AMaster:
    """Its one builder runs what the test says, and one buildset belongs to each request."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.fails = False
        self.builder = ABuilder(name='b', master=self, building=[], config=None, config_version=0)
        self.workers = SimpleNamespace(workers={})
        self.botmaster = SimpleNamespace(builders={'b': self.builder})
        self.db = SimpleNamespace(buildsets=self)
        self.parent_of: dict[int, int | None] = {}
        self.lock = BaseLock('host', 1)

    def getBuildset(self, bsid: int) -> Any:
        self.asked.append(bsid)
        if self.fails:
            return defer.fail(RuntimeError('no database'))
        if bsid not in self.parent_of:
            return defer.succeed(None)
        return defer.succeed(SimpleNamespace(parent_buildid=self.parent_of[bsid]))

    def request(self, number: int, parent: int | None = None, *, waited_for: bool = True) -> Any:
        self.parent_of[number] = parent
        return SimpleNamespace(
            id=number,
            bsid=number,
            waitedFor=waited_for,
            mergeSourceStampsWith=lambda _: [],
            mergeReasons=lambda _: '',
        )

    def build(self, buildid: int, *requests: Any) -> Any:
        alone = self.request(1000 + buildid, waited_for=False)
        made = Build(list(requests or [alone]), self.builder)
        made.buildid = made.number = buildid
        made.workername = 'w'
        made.workerforbuilder = SimpleNamespace(worker=None)
        self.builder.building.append(made)
        return made

    def hold(self, build: Any, owner: Any = None) -> None:
        holder = build if owner is None else owner
        holder._locks_to_acquire = [(self.lock, ACCESS)]
        self.lock.claim(holder, ACCESS)

    def wait(self, build: Any) -> None:
        woken = self.lock.waitUntilMaybeAvailable(build, ACCESS)
        build._acquiringLock = (self.lock, ACCESS, woken)


class Sentences(SynchronousTestCase):
    def test_a_parent(self) -> None:
        self.assertEqual(
            Deadlock(7, 'host', ('parent build win #41',)).sentence,
            "its parent build win #41 holds lock 'host' and waits for request 7: neither " + REMEDY,
        )

    def test_two_that_hold_it_together(self) -> None:
        self.assertEqual(
            Deadlock(7, 'host', ('grandparent build a #1', 'parent build b #2')).sentence,
            "its grandparent build a #1 and parent build b #2 hold lock 'host' and wait for"
            f' request 7: none of them {REMEDY}',
        )

    def test_one_between(self) -> None:
        self.assertEqual(
            Deadlock(7, 'host', ('parent build a #1',), ('build b #2',)).sentence,
            "its parent build a #1 holds lock 'host' and waits for request 7, which stands in"
            f' line behind build b #2: none of them {REMEDY}',
        )

    def test_a_long_line_is_cut_short(self) -> None:
        many = tuple(f'build b #{n}' for n in range(9))
        said = Deadlock(7, 'host', ('parent build a #1',), many).sentence
        self.assertIn('behind build b #0, build b #1, build b #2 and others: none', said)

    def test_it_stays_on_one_line_as_long_as_a_note_may_be(self) -> None:
        name = 'a-builder-with-quite-a-long-name'
        said = Deadlock(
            123456, 'licence-server', (f'parent build {name} #1234',), (f'build {name} #999',)
        ).sentence
        self.assertEqual(clean(said, 300), said)


class Looks(SynchronousTestCase):
    def setUp(self) -> None:
        self.master = AMaster()
        self.parents = Parents(self.master)
        self.log = LogLines(self)

    def look(self) -> list[str]:
        self.successResultOf(defer.ensureDeferred(self.parents.look()))
        return [one.removeprefix('buildbot-balancer: ') for one in self.log.ours()]

    def family(self) -> tuple[Any, Any]:
        parent = self.master.build(1, self.master.request(1, waited_for=False))
        child = self.master.build(2, self.master.request(2, parent=1))
        return parent, child

    def test_a_build_that_waits_for_its_parents_lock_is_said_once(self) -> None:
        parent, child = self.family()
        self.master.hold(parent)
        self.assertEqual(self.look(), [])
        self.master.wait(child)
        line = (
            "build b #2 waits: its parent build b #1 holds lock 'host' and waits for request 2:"
            f' neither {REMEDY}'
        )
        self.assertEqual(self.look(), [line])
        self.assertEqual(self.look(), [line])

    def test_it_is_said_again_when_it_was_over_in_between(self) -> None:
        parent, child = self.family()
        self.master.hold(parent)
        self.master.wait(child)
        self.assertEqual(len(self.look()), 1)
        waiting, child._acquiringLock = child._acquiringLock, None
        self.assertEqual(len(self.look()), 1)
        child._acquiringLock = waiting
        self.assertEqual(len(self.look()), 2)

    def test_one_that_was_woken_does_not_wait(self) -> None:
        parent, child = self.family()
        self.master.hold(parent)
        self.master.wait(child)
        child._acquiringLock[2].callback(None)
        self.assertEqual(self.look(), [])

    def test_a_step_of_the_parent_that_holds_it_is_named_while_it_runs(self) -> None:
        parent, child = self.family()
        step = AStep('go')
        parent.executedSteps = [AStep('before', results=0), step]
        self.master.hold(parent, step)
        self.master.wait(child)
        self.assertIn("its parent build b #1 (step 'go') holds", self.look()[0])

    def test_a_step_that_has_ended_is_not_waited_for(self) -> None:
        parent, child = self.family()
        step = AStep('go', results=0)
        parent.executedSteps = [step]
        self.master.hold(parent, step)
        self.master.wait(child)
        self.assertEqual(self.look(), [])

    def worker_that_runs(self, count: int) -> Any:
        places = {n: SimpleNamespace(state=States.BUILDING) for n in range(count)}
        return SimpleNamespace(
            workername='w', workerforbuilders=places, locks=[(self.master.lock, ACCESS)]
        )

    def test_what_the_parents_worker_holds_is_the_parents_where_nothing_else_runs(self) -> None:
        parent, child = self.family()
        worker = parent.workerforbuilder.worker = self.worker_that_runs(1)
        self.master.lock.claim(worker, ACCESS)
        self.master.wait(child)
        self.assertIn('its parent build b #1 (worker w) holds', self.look()[0])

    def test_what_a_worker_of_two_builds_holds_may_be_given_back_by_the_other(self) -> None:
        parent, child = self.family()
        worker = parent.workerforbuilder.worker = self.worker_that_runs(2)
        self.master.lock.claim(worker, ACCESS)
        self.master.wait(child)
        self.assertEqual(self.look(), [])

    def test_a_build_that_does_not_wait_for_it_is_a_stranger(self) -> None:
        parent = self.master.build(1)
        self.master.hold(parent)
        self.master.wait(self.master.build(2, self.master.request(2, 1, waited_for=False)))
        self.assertEqual(self.look(), [])
        self.assertEqual(self.master.asked, [])

    def test_a_parent_that_has_ended_or_runs_elsewhere_is_none(self) -> None:
        parent, child = self.family()
        self.master.hold(parent)
        self.master.wait(child)
        self.assertEqual(len(self.look()), 1)
        self.master.wait(self.master.build(3, self.master.request(3, parent=99)))
        orphan = self.master.request(4)
        del self.master.parent_of[4]  # its buildset is gone
        self.master.wait(self.master.build(4, orphan))
        self.assertEqual(len(self.look()), 1)
        parent.finished = True
        self.look()
        self.assertEqual(self.parents._said, set())

    def test_ancestors_of_any_degree_and_of_all_requests_of_a_build_count(self) -> None:
        builds = [self.master.build(1, self.master.request(1, waited_for=False))]
        builds += [self.master.build(n, self.master.request(n, parent=n - 1)) for n in (2, 3)]
        alone = self.master.request(90, waited_for=False)
        builds.append(self.master.build(4, alone, self.master.request(4, parent=3)))
        self.master.hold(builds[0])
        self.master.wait(builds[3])
        self.assertIn('its ancestor build b #1 holds', self.look()[0])
        self.assertIn('waits for request 4:', self.look()[0])

    def test_a_loop_of_parents_has_an_end(self) -> None:
        one = self.master.build(1, self.master.request(1, parent=2))
        two = self.master.build(2, self.master.request(2, parent=1))
        self.master.hold(one)
        self.master.wait(two)
        self.assertIn('its parent build b #1', self.look()[0])

    def test_each_buildset_is_asked_for_once_and_the_oldest_is_forgotten(self) -> None:
        self.patch(parents, 'KEPT', 1)
        parent, child = self.family()
        self.master.hold(parent)
        self.master.wait(child)
        self.look()
        self.look()
        self.assertEqual(self.master.asked, [2])
        self.master.wait(self.master.build(3, self.master.request(3, parent=1)))
        self.look()
        self.assertEqual(len(self.parents._known), 1)

    def test_a_parent_is_not_kept_alive(self) -> None:
        parent, child = self.family()
        self.master.hold(parent)
        self.master.wait(child)
        self.look()
        known = self.parents._known[2]
        self.assertIs(known(), parent)
        self.assertIsInstance(known, weakref.ref)


class Times(SynchronousTestCase):
    def setUp(self) -> None:
        self.master = AMaster()
        self.parents = Parents(self.master)
        self.clock = Clock()
        parent = self.master.build(1)
        self.master.hold(parent)
        self.log = LogLines(self)

    def test_it_looks_at_its_times_until_it_is_stopped(self) -> None:
        self.master.wait(self.master.build(2, self.master.request(2, parent=1)))
        self.parents.watch(self.clock, 30.0)
        self.clock.advance(29)
        self.assertEqual(self.log.ours(), [])
        self.clock.advance(1)
        self.assertEqual(len(self.log.ours()), 1)
        self.parents.stop()
        self.master.wait(self.master.build(3, self.master.request(3, parent=1)))
        self.clock.advance(60)
        self.assertEqual(len(self.log.ours()), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_same_time_again_does_not_put_the_next_look_off(self) -> None:
        self.master.wait(self.master.build(2, self.master.request(2, parent=1)))
        self.parents.watch(self.clock, 30.0)
        self.clock.advance(20)
        self.parents.watch(self.clock, 30.0)
        self.clock.advance(10)
        self.assertEqual(len(self.log.ours()), 1)
        self.parents.watch(self.clock, 5.0)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.parents.stop()

    def test_a_look_that_fails_is_logged_and_the_next_one_comes(self) -> None:
        self.parents.watch(self.clock, 30.0)
        self.master.wait(self.master.build(2, self.master.request(2, parent=1)))
        self.master.fails = True
        self.clock.advance(30)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.master.fails = False
        self.clock.advance(30)
        self.assertEqual(len([one for one in self.log.ours() if 'holds lock' in one]), 1)
        self.parents.stop()
