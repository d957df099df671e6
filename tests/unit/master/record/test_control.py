# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace

from support.masterparts import connect
from support.masterparts import disconnect
from support.masterparts import make_master
from support.masterparts import make_workers
from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.cap import ADMIN
from buildbot_balancer.availability.cap import Cap
from buildbot_balancer.availability.cap import Caps
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.report import Report
from buildbot_balancer.availability.standing import Rules
from buildbot_balancer.errors import ControlError
from buildbot_balancer.errors import WordError
from buildbot_balancer.master.record.control import Control
from buildbot_balancer.master.record.control import Listeners
from buildbot_balancer.master.record.pauses import Pauses
from buildbot_balancer.master.record.words import Said
from buildbot_balancer.master.workers.fleet import GONE
from buildbot_balancer.master.workers.fleet import WILLING
from buildbot_balancer.master.workers.fleet import Fleet

NOW = 1_800_000_000.0


class Notes:
    """Stands where words and history are kept."""

    def __init__(self):
        self.kept = {}
        self.events = []

    async def save_worker(self, name, cap, at):
        self.kept[name] = cap

    async def forget_worker(self, name):
        del self.kept[name]

    async def save_builder(self, name, pause):
        self.kept[name] = pause

    async def forget_builder(self, name):
        del self.kept[name]

    def record(self, event):
        self.events.append(event)

    async def forget(self, name):
        return 3


class Builder:
    name = 'b'

    async def getBuilderId(self):
        return 5


class Case(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.clock.advance(NOW)
        self.workers = make_workers('w1', 'w2')
        for number, worker in enumerate(self.workers.values(), 1):
            worker.workerid = number
        self.master = make_master(self.workers)
        self.master.botmaster.builders = {'b': Builder()}
        self.master.config = SimpleNamespace(multiMaster=False)
        self.told = []
        self.fleet = Fleet(self.master, self.clock, Rules(), self.hear)
        self.notes = Notes()
        self.pauses = Pauses(self.clock, self.told.append)
        self.control = Control(
            self.master,
            self.fleet,
            self.pauses,
            self.notes,
            self.notes,
            self.clock.seconds,
            Listeners(worker=self.told.append, builder=self.told.append),
        )
        self.fleet.caps_of = lambda name, now: Caps(self.control.caps_of(name))
        self.worker = self.workers['w1']
        self.seq = 0
        self.fleet.attached(self.worker, connect(self.worker))
        self.say(Mood.EAGER)
        self.told.clear()

    def hear(self, event, worker):
        if event in {WILLING, GONE}:
            self.told.append(event)

    def say(self, mood, **more):
        self.seq += 1
        report = Report(incarnation='i', seq=self.seq, mood=mood, source='owner', **more)
        self.fleet.hear(self.worker, self.worker.conn, report.to_wire())

    def do(self, awaitable):
        return self.successResultOf(defer.ensureDeferred(awaitable))

    def refused(self, awaitable, kind=ControlError):
        return str(self.failureResultOf(defer.ensureDeferred(awaitable), kind).value)

    def set(self, mood, reason=None, until=None, user='eve'):
        return self.control.set_worker(1, mood, reason, until, user)

    def standing(self):
        return self.fleet.standing(self.worker)


class OfOtherMasters(Case):
    def hear_of(self, cap=None, **more):
        workers = {} if cap is None else {'w1': cap}
        self.told.clear()
        self.do(self.control.hear(Said(workers=workers, builders={}, **more)))

    def test_what_was_said_there_holds_and_ends_here(self):
        cap = Cap(mood=Mood.OFFLINE, source=ADMIN, reason='moving', by='eve')
        self.hear_of(cap)
        self.assertEqual((self.standing().reason, self.told), ('moving', [GONE, 'w1']))
        self.hear_of(cap)
        self.assertEqual(self.told, [])  # nothing is new
        self.hear_of(None)
        self.assertEqual((self.standing().mood, self.told), (Mood.EAGER, [WILLING, 'w1']))
        self.assertEqual((self.notes.events, self.notes.kept), ([], {}))  # they have noted it

    def test_what_is_known_better_here_stays(self):
        self.do(self.set('offline', 'here'))
        self.hear_of(None, my_workers=frozenset({'w1'}))
        self.assertEqual((self.standing().reason, self.told), ('here', []))

    def test_what_is_said_of_a_worker_that_is_not_in_this_config_holds_when_it_comes(self):
        cap = Cap(mood=Mood.OFFLINE, source=ADMIN)
        self.do(self.control.hear(Said(workers={'w9': cap}, builders={})))
        self.assertEqual(self.control.caps_of('w9'), (cap,))

    def test_a_drain_is_over_when_the_master_says_so_that_has_the_worker(self):
        self.master.config.multiMaster = True
        drain = Cap(mood=Mood.GOING_ON_HOLIDAY, source=ADMIN)
        disconnect(self.worker)
        self.hear_of(drain)
        self.assertEqual((self.standing().mood, self.notes.kept), (Mood.GOING_ON_HOLIDAY, {}))
        connect(self.worker)
        self.do(self.control.counted('w1'))
        self.assertEqual(self.notes.kept['w1'].mood, Mood.OFFLINE)

    def test_a_worker_that_is_here_and_empty_is_so_as_soon_as_the_drain_is_heard_of(self):
        self.master.config.multiMaster = True
        self.hear_of(Cap(mood=Mood.GOING_ON_HOLIDAY, source=ADMIN))
        self.assertEqual(self.notes.kept['w1'].mood, Mood.OFFLINE)


class Workers(Case):
    def test_a_lower_mood_holds_at_once_is_kept_and_recorded_with_the_user(self):
        self.do(self.set('offline', 'in\nventory', NOW + 60))
        standing = self.standing()
        self.assertEqual((standing.mood, standing.source), (Mood.OFFLINE, 'admin'))
        self.assertEqual((standing.reason, standing.until), ('in ventory', NOW + 60))
        self.assertEqual(self.told, [GONE, 'w1'])
        self.assertEqual(self.notes.kept['w1'].by, 'eve')
        (event,) = self.notes.events
        self.assertEqual(
            (event.kind, event.worker, event.actor, event.mood), ('set', 'w1', 'eve', 'offline')
        )

    def test_it_ends_by_the_clock_and_wakes(self):
        self.do(self.set('offline', until=NOW + 60))
        self.told.clear()
        self.clock.advance(61)
        self.assertEqual((self.standing().mood, self.told), (Mood.EAGER, [WILLING]))

    def test_one_that_was_reluctant_and_ends_by_the_clock_wakes_too(self):
        self.do(self.set('reluctant', until=NOW + 60))
        self.told.clear()
        self.fleet.refuses(self.worker)
        self.clock.advance(61)
        self.assertEqual((self.standing().mood, self.told), (Mood.EAGER, [WILLING]))

    def test_an_owners_no_cannot_be_overruled_and_the_sentence_says_whose_it_is(self):
        self.say(Mood.OFFLINE, reason='mine', until=NOW + 3600)
        for mood in ('eager', 'reluctant'):
            said = self.refused(self.set(mood))
            self.assertIn('w1 is offline ("mine") until', said)
            self.assertIn('cannot be overruled', said)
        self.assertEqual((self.notes.kept, self.notes.events), ({}, []))

    def test_an_owner_may_become_less_willing_than_the_admin_said(self):
        self.do(self.set('reluctant'))
        self.say(Mood.OFFLINE)
        self.assertEqual((self.standing().mood, self.standing().source), (Mood.OFFLINE, 'owner'))
        self.say(Mood.EAGER)
        self.assertEqual(self.standing().mood, Mood.RELUCTANT)

    def test_eager_is_the_same_as_resume(self):
        self.do(self.set('offline'))
        self.do(self.set('eager', user='bob'))
        self.assertEqual((self.standing().mood, self.notes.kept), (Mood.EAGER, {}))
        self.assertEqual([(e.kind, e.actor) for e in self.notes.events][-1], ('resume', 'bob'))

    def test_to_resume_what_was_never_set_is_no_event(self):
        self.do(self.control.resume_worker(1, None))
        self.assertEqual(self.notes.events, [])

    def test_a_worker_that_runs_nothing_is_empty_as_soon_as_it_is_drained(self):
        self.do(self.control.drain_worker(1, 'moving', None, 'eve'))
        self.assertEqual(self.standing().mood, Mood.OFFLINE)
        self.assertEqual([e.kind for e in self.notes.events], ['drain', 'freed'])

    def test_one_that_builds_is_on_holiday_until_its_last_build_ends(self):
        place = object()
        self.fleet.builds.starting('w1', place, NOW)
        self.do(self.control.drain_worker(1, 'moving', None, 'eve'))
        self.assertEqual(self.standing().mood, Mood.GOING_ON_HOLIDAY)
        self.assertTrue(self.standing().draining)
        self.fleet.builds.started('w1', place, None)
        self.do(self.control.counted('w1'))
        self.assertEqual((self.standing().mood, self.standing().reason), (Mood.OFFLINE, 'moving'))

    def test_a_drain_that_has_ended_by_the_clock_frees_nobody(self):
        place = object()
        self.fleet.builds.starting('w1', place, NOW)
        self.do(self.control.drain_worker(1, 'moving', NOW + 60, 'eve'))
        self.clock.advance(60)
        self.fleet.builds.started('w1', place, None)
        self.do(self.control.counted('w1'))
        self.assertEqual([e.kind for e in self.notes.events], ['drain'])

    def test_to_resume_what_has_ended_by_the_clock_is_no_event(self):
        self.do(self.set('offline', until=NOW + 60))
        self.clock.advance(60)
        self.do(self.control.resume_worker(1, 'bob'))
        self.assertEqual([e.kind for e in self.notes.events], ['set'])
        self.assertEqual((self.notes.kept, self.control.caps_of('w1')), ({}, ()))

    def test_what_is_no_mood_or_no_worker_is_a_sentence(self):
        self.assertIn('did you mean "reluctant"', self.refused(self.set('reluctent'), WordError))
        self.assertIn('no worker 77', self.refused(self.control.resume_worker(77, None)))
        self.assertIn('over already', self.refused(self.set('offline', until=NOW - 1)))

    def test_what_was_said_before_the_start_holds_again(self):
        self.do(self.set('offline', 'inventory'))
        cap = self.notes.kept['w1']
        self.do(self.control.resume_worker(1, None))
        self.control.load({'w1': cap}, {})
        self.fleet.set_rules(Rules())
        self.assertTrue(self.fleet.refuses(self.worker))

    def test_to_forget_says_how_many_events_and_is_one_itself(self):
        self.assertEqual(self.do(self.control.forget_worker(1, 'eve')), 3)
        self.assertEqual(self.notes.events[-1].kind, 'forget')


class Builders(Case):
    def test_a_pause_holds_is_kept_and_recorded(self):
        self.do(self.control.pause_builder(5, 'broken', NOW + 60, 'eve'))
        pause = self.pauses.get('b')
        self.assertEqual((pause.reason, pause.until, pause.by), ('broken', NOW + 60, 'eve'))
        self.assertEqual(self.notes.kept['b'], pause)
        (event,) = self.notes.events
        self.assertEqual((event.kind, event.builder, event.actor), ('pause', 'b', 'eve'))

    def test_it_is_resumed_by_a_person_or_by_the_clock(self):
        self.do(self.control.pause_builder(5, None, None, None))
        self.do(self.control.resume_builder(5, 'bob'))
        self.assertFalse(self.pauses.is_paused('b'))
        self.do(self.control.pause_builder(5, None, NOW + 60, None))
        self.told.clear()
        self.clock.advance(60)
        self.assertEqual(self.told, ['b'])

    def test_a_builder_that_there_is_not_is_a_sentence(self):
        self.assertIn('no builder 9', self.refused(self.control.pause_builder(9, None, None, None)))
