# SPDX-License-Identifier: GPL-2.0-or-later
"""With the fleet's own standings, and a history in a real database."""

from __future__ import annotations

from support.databases import OnSqlite
from support.databases import Pool
from support.databases import master_with
from support.logs import LogLines
from support.masterparts import connect
from support.masterparts import disconnect
from support.masterparts import make_master
from support.masterparts import make_workers
from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.announcement import Announcement
from buildbot_balancer.availability.cap import ADMIN
from buildbot_balancer.availability.cap import Cap
from buildbot_balancer.availability.cap import Caps
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.report import Report
from buildbot_balancer.availability.standing import Rules
from buildbot_balancer.explain.event import DRAIN
from buildbot_balancer.explain.event import FREED
from buildbot_balancer.explain.event import MOOD
from buildbot_balancer.explain.event import RESUME
from buildbot_balancer.explain.event import Event
from buildbot_balancer.master.database import Database
from buildbot_balancer.master.record.history import History
from buildbot_balancer.master.record.recorder import BEAT
from buildbot_balancer.master.record.recorder import BEATS
from buildbot_balancer.master.record.recorder import HOUR
from buildbot_balancer.master.record.recorder import LEAST_AT_ONCE
from buildbot_balancer.master.record.recorder import MOST
from buildbot_balancer.master.record.recorder import Recorder
from buildbot_balancer.master.workers.fleet import Fleet

NOW = 1_800_000_000.0


class Case(OnSqlite, SynchronousTestCase):
    def setUp(self):
        super().setUp()
        self.clock = Clock()
        self.clock.advance(NOW)
        self.pool = Pool(self.engine)
        self.workers = make_workers('w1', 'w2')
        self.worker = self.workers['w1']
        self.seq = 0
        self.caps = Caps()
        self.start()

    def start(self):
        """A new master on the same database, which has heard of nobody yet."""
        self.history = History(Database(master_with(self.pool)), self.clock)
        self.now(self.history.start())
        self.fleet = Fleet(make_master(self.workers), self.clock, Rules(), self.tell)
        self.fleet.caps_of = lambda name, _: self.caps if name == 'w1' else Caps()
        self.recorder = Recorder(
            self.history, self.clock, self.fleet.standing, lambda: list(self.workers.values())
        )
        self.now(self.recorder.start())

    def tell(self, event, worker):
        self.recorder.look(worker)

    def restart(self):
        self.recorder.stop()
        self.now(self.history.stop())
        self.fleet.stop()
        for worker in self.workers.values():
            disconnect(worker)
        self.start()

    def now(self, coroutine):
        return self.successResultOf(defer.ensureDeferred(coroutine))

    def attach(self, announcement=None, worker=None, **more):
        one = worker or self.worker
        self.fleet.attached(one, connect(one, announcement, **more))
        self.recorder.look(one)

    def say(self, mood=Mood.EAGER, worker=None, **more):
        one = worker or self.worker
        self.seq += 1
        more = {'source': 'default' if mood is Mood.EAGER else 'owner', **more}
        report = Report(incarnation='i', seq=self.seq, mood=mood, **more)
        self.fleet.hear(one, one.conn, report.to_wire())
        self.recorder.look(one)

    def drain(self, mood=Mood.GOING_ON_HOLIDAY, **more):
        self.say(mood, source='drain', draining=True, **more)

    def build(self, count):
        self.patch(self.fleet.builds, 'count', lambda _: count)
        self.recorder.look(self.worker)

    def events(self, **search):
        """Oldest first."""
        self.clock.advance(1)
        return list(reversed(self.now(self.history.find(limit=1000, **search))))

    def kinds(self):
        return [(event.kind, event.mood) for event in self.events()]


class Moods(Case):
    def test_a_change_is_recorded_with_its_reason_its_source_and_its_end(self):
        self.attach()
        self.clock.advance(5)
        self.say(Mood.RELUCTANT, reason='using it', until=NOW + 600)
        (event,) = self.events()
        self.assertEqual(
            event,
            Event(
                kind=MOOD,
                at=NOW + 5,
                eventid=1,
                worker='w1',
                mood='reluctant',
                reason='using it',
                source='owner',
                until=NOW + 600,
            ),
        )

    def test_a_heartbeat_is_no_change(self):
        self.attach()
        for _ in range(5):
            self.say(Mood.OFFLINE, load=0.5)
            self.clock.advance(10)
        self.assertEqual(self.kinds(), [(MOOD, 'offline')])

    def test_another_reason_end_or_source_is_a_change(self):
        self.attach()
        self.say(Mood.OFFLINE)
        self.say(Mood.OFFLINE, reason='lunch')
        self.say(Mood.OFFLINE, reason='lunch', until=NOW + 60)
        self.say(Mood.OFFLINE, reason='lunch', until=NOW + 60, source='calendar')
        self.assertEqual(len(self.events()), 4)

    def test_another_reason_is_none_where_the_machine_decides_by_itself(self):
        self.attach()
        for load in range(5):
            self.say(Mood.RELUCTANT, source='busy', reason=f'load {load}')
        self.restart()
        self.attach()
        self.say(Mood.RELUCTANT, source='busy', reason='load 9')
        self.assertEqual(self.kinds(), [(MOOD, 'reluctant')])

    def test_a_worker_of_which_nobody_said_anything_is_no_event(self):
        self.attach()
        self.say()
        self.attach(worker=self.workers['w2'], reporter=False)
        self.clock.advance(BEAT)
        self.assertEqual(self.events(), [])

    def test_the_way_back_is_a_change(self):
        self.attach()
        self.say(Mood.OFFLINE)
        self.say(Mood.EAGER)
        self.assertEqual(self.kinds(), [(MOOD, 'offline'), (MOOD, 'eager')])

    def test_what_the_time_alone_changes_is_seen_at_the_next_beat(self):
        self.attach()
        self.say(Mood.RELUCTANT, until=NOW + 40)
        disconnect(self.worker)
        self.clock.pump([10] * 12)
        self.assertEqual(self.kinds(), [(MOOD, 'reluctant'), (MOOD, 'eager')])

    def test_many_workers_are_looked_at_some_in_each_turn_and_all_of_them_in_a_minute(self):
        self.recorder.stop()
        for count, at_once in ((1000, LEAST_AT_ONCE), (6000, 101)):
            self.workers, looked = dict(enumerate(range(count))), []
            self.patch(self.recorder, 'look', looked.append)
            self.now(self.recorder.start())
            for _ in range(BEATS - 1):
                before = len(looked)
                self.clock.advance(BEAT)
                self.assertLessEqual(len(looked) - before, at_once)
            self.assertEqual(set(looked), set(range(count)))
            self.recorder.stop()

    def test_what_the_machine_keeps_to_itself_is_not_in_it(self):
        self.attach()
        self.say(Mood.RELUCTANT, load=0.7, idle=3.0, host='h', facts={'ram_gb': 8})
        (event,) = self.events()
        for secret in ('0.7', '3.0', 'h', '8'):
            values = [event.mood, event.reason, event.source, event.actor, event.group]
            self.assertNotIn(secret, values)
        self.assertEqual((event.duration, event.until), (None, None))

    def test_a_defect_is_logged_and_whoever_tells_us_goes_on(self):
        self.patch(self.recorder, '_standing_of', lambda _: 1 / 0)
        self.recorder.look(self.worker)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class NewConnections(Case):
    def test_the_same_mood_after_one_is_no_change(self):
        self.attach()
        self.say(Mood.OFFLINE, reason='x')
        for announcement in (None, Announcement(mood=Mood.OFFLINE, reason='x', word='w')):
            disconnect(self.worker)
            self.clock.advance(BEAT)
            self.attach(announcement)
            self.clock.advance(1)
            self.say(Mood.OFFLINE, reason='x')
        self.assertEqual(self.kinds(), [(MOOD, 'offline')])

    def test_the_same_mood_after_a_restart_of_the_master_is_no_change(self):
        self.attach()
        until = NOW + 86400.123456
        self.say(Mood.OFFLINE, reason='grüße \U0001f600', until=until)
        for _ in range(2):
            self.restart()
            self.clock.advance(BEAT)  # nobody is connected yet
            self.attach(Announcement(mood=Mood.OFFLINE, reason='grüße', word='w'))
            self.say(Mood.OFFLINE, reason='grüße \U0001f600', until=until)
            self.clock.advance(BEAT)
        self.assertEqual(self.kinds(), [(MOOD, 'offline')])

    def test_another_mood_after_a_restart_is_one_also_where_the_report_says_no_more(self):
        self.attach()
        self.say(Mood.OFFLINE)
        self.restart()
        self.attach(Announcement(mood=Mood.RELUCTANT, word='w'))
        self.assertEqual(self.kinds(), [(MOOD, 'offline')])  # held: its report is about to come
        self.say(Mood.RELUCTANT)
        self.assertEqual(self.kinds(), [(MOOD, 'offline'), (MOOD, 'reluctant')])

    def test_an_announced_word_counts_when_no_report_comes(self):
        self.attach(Announcement(mood=Mood.OFFLINE, reason='x', word='w'))
        self.assertEqual(self.events(), [])
        self.clock.pump([5] * 13)
        (event,) = self.events()
        self.assertEqual((event.mood, event.reason, event.source), ('offline', 'x', 'owner'))

    def test_a_reporter_that_was_detached_took_the_word_with_it(self):
        self.attach()
        self.say(Mood.OFFLINE)
        disconnect(self.worker)
        self.attach(reporter=False)
        (_, event) = self.events()
        self.assertEqual((event.mood, event.source), ('eager', 'unreported'))


class Drains(Case):
    def test_a_drain_is_recorded_when_it_begins_when_it_is_empty_and_when_it_ends(self):
        self.attach()
        self.build(1)
        self.drain(reason='moving')
        self.assertEqual(self.kinds(), [(DRAIN, 'going-on-holiday')])
        self.build(0)
        self.build(0)
        self.drain(Mood.OFFLINE, reason='moving')  # the same drain
        self.say(Mood.EAGER)
        self.assertEqual(
            self.kinds(),
            [(DRAIN, 'going-on-holiday'), (FREED, 'going-on-holiday'), (RESUME, 'eager')],
        )
        self.assertEqual(self.events()[0].reason, 'moving')

    def test_one_that_is_empty_already_is_freed_at_once(self):
        self.attach()
        self.drain()
        self.assertEqual([kind for kind, _ in self.kinds()], [DRAIN, FREED])

    def test_one_look_sees_both(self):
        self.attach()
        self.patch(self.fleet, '_told', lambda *_: None)
        self.drain()
        self.assertEqual([kind for kind, _ in self.kinds()], [DRAIN, FREED])

    def test_each_drain_is_freed_for_itself(self):
        self.attach()
        for _ in range(2):
            self.drain()
            self.say()
        self.assertEqual([kind for kind, _ in self.kinds()], [DRAIN, FREED, RESUME] * 2)

    def test_one_that_is_lost_has_not_been_seen_empty(self):
        self.attach()
        self.build(1)
        self.drain()
        disconnect(self.worker)
        self.build(0)
        self.assertEqual([kind for kind, _ in self.kinds()], [DRAIN])

    def test_offline_after_a_drain_is_no_resume(self):
        self.attach()
        self.drain()
        self.say(Mood.OFFLINE)
        self.assertEqual([kind for kind, _ in self.kinds()], [DRAIN, FREED, MOOD])

    def test_a_restart_in_between_records_nothing_twice(self):
        self.attach()
        self.build(1)
        self.drain()
        self.restart()
        self.attach()
        self.drain()
        self.restart()
        self.attach()
        self.drain(Mood.OFFLINE)
        self.restart()
        self.attach()
        self.say()
        self.assertEqual([kind for kind, _ in self.kinds()], [DRAIN, FREED, RESUME])


class Admins(Case):
    def limit(self, mood=None, **more):
        self.caps = Caps(() if mood is None else (Cap(mood=mood, **{'source': ADMIN, **more}),))
        self.recorder.look(self.worker)

    def test_what_an_admin_says_is_left_to_whoever_knows_the_admin(self):
        self.attach()
        self.say()
        self.limit(Mood.OFFLINE)
        self.limit(Mood.GOING_ON_HOLIDAY)
        self.limit()
        self.assertEqual(self.events(), [])

    def test_the_owners_mood_is_no_change_when_the_limit_ends(self):
        self.attach()
        self.say(Mood.RELUCTANT)
        self.limit(Mood.OFFLINE)
        self.history.record(Event(kind=MOOD, at=NOW, worker='w1', mood='offline', source=ADMIN))
        self.restart()
        self.attach()
        self.say(Mood.RELUCTANT)
        self.limit()
        self.assertEqual(self.kinds(), [(MOOD, 'reluctant'), (MOOD, 'offline')])

    def test_an_owners_no_under_it_is_recorded(self):
        self.attach()
        self.limit(Mood.RELUCTANT)
        self.say(Mood.OFFLINE)
        self.assertEqual(self.kinds(), [(MOOD, 'offline')])

    def test_what_the_hours_of_the_config_say_is_recorded(self):
        self.attach()
        self.say()
        self.limit(Mood.OFFLINE, source='schedule')
        self.limit()
        found = [(event.mood, event.source) for event in self.events()]
        self.assertEqual(found, [('offline', 'schedule'), ('eager', 'default')])


class Flapping(Case):
    def flap(self, changes, seconds=0.1):
        for number in range(changes):
            self.say(Mood.OFFLINE if number % 2 == 0 else Mood.RELUCTANT)
            self.clock.advance(seconds)

    def test_a_worker_that_flaps_is_recorded_so_often_an_hour_and_then_summed_up(self):
        self.attach()
        self.flap(MOST + 40)
        self.assertEqual(len(self.events()), MOST)
        self.clock.pump([BEAT] * int(HOUR / BEAT + 1))
        *_, last, summary = self.events()[: MOST + 1]
        self.assertEqual(last.mood, 'reluctant')
        self.assertEqual(summary.source, 'balancer')
        self.assertEqual(summary.reason, '40 more changes within an hour were left out')

    def test_what_it_is_in_the_end_is_recorded_in_the_next_hour(self):
        self.attach()
        self.flap(MOST + 1)
        self.clock.pump([BEAT] * int(HOUR / BEAT + 1))
        self.assertEqual(len(self.events()), MOST + 2)
        self.assertEqual(self.events()[-1].mood, 'offline')
        self.say(Mood.EAGER)
        self.assertEqual(len(self.events()), MOST + 3)

    def test_a_state_that_stays_is_left_out_once(self):
        self.attach()
        self.flap(MOST)
        self.say(Mood.OFFLINE)
        self.clock.pump([BEAT] * 5)
        self.recorder.stop()
        self.assertIn('1 more changes', self.events()[-1].reason)

    def test_the_others_are_recorded_meanwhile(self):
        self.attach()
        self.flap(MOST + 1)
        self.attach(worker=self.workers['w2'])
        self.say(Mood.OFFLINE, worker=self.workers['w2'])
        self.assertEqual(len(self.events(worker='w2')), 1)

    def test_a_restart_takes_the_sum_for_no_mood(self):
        self.attach()
        self.flap(MOST + 2)
        self.restart()
        self.attach()
        self.say(Mood.RELUCTANT)
        *_, last, summary = self.events()
        self.assertEqual((last.mood, summary.mood), ('reluctant', None))


class Starting(Case):
    def test_before_it_and_after_its_end_nothing_is_recorded(self):
        self.attach()
        self.recorder.stop()
        self.say(Mood.OFFLINE)
        self.assertEqual(self.events(), [])
        self.now(self.recorder.start())
        self.assertEqual(self.kinds(), [(MOOD, 'offline')])

    def test_it_can_be_stopped_twice_and_leaves_no_timer(self):
        self.recorder.stop()
        self.recorder.stop()
        self.now(self.history.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_history_that_cannot_be_read_is_a_line_and_it_goes_on(self):
        self.recorder.stop()
        lines = LogLines(self)
        self.pool.engine = self.make_engine('sqlite:////nowhere/state.sqlite')
        self.now(self.recorder.start())
        self.pool.engine = self.engine
        self.assertIn('may be recorded again', lines.ours()[0])
        self.attach()
        self.say(Mood.OFFLINE)
        self.assertEqual(self.kinds(), [(MOOD, 'offline')])
