# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import attrs
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cli.waiting import SILENT_AFTER
from buildbot_balancer.cli.waiting import START_GRACE
from buildbot_balancer.cli.waiting import UNREADABLE_FOR
from buildbot_balancer.cli.waiting import Outcome
from buildbot_balancer.cli.waiting import Seen
from buildbot_balancer.cli.waiting import Waiting
from buildbot_balancer.reporter.status import Status

MINE = 'mine'
BUSY = Status(
    mood='going-on-holiday',
    source='drain',
    draining=True,
    connected=True,
    running=1,
    word=MINE,
    incarnation='a',
    at=1.0,
)
FREE = attrs.evolve(BUSY, mood='offline', running=0, free=True)
LOOK = Seen(word=MINE, holds=True, status=BUSY, beats=True)

STATUSES = st.none() | st.builds(
    Status,
    mood=st.just('offline'),
    source=st.just('drain'),
    running=st.sampled_from([None, 0, 1, 2]),
    draining=st.sampled_from([True, True, False]),
    connected=st.booleans(),
    word=st.sampled_from([MINE, MINE, 'other']),
    free=st.booleans(),
    left=st.sampled_from([0, 1, 2]),
    incarnation=st.sampled_from('ab'),
    at=st.sampled_from([1.0, 2.0, 3.0]),
)
LOOKS = st.builds(
    Seen,
    word=st.sampled_from([MINE] * 8 + [None, 'other']),
    holds=st.sampled_from([True] * 8 + [False]),
    status=STATUSES,
    beats=st.sampled_from([True, True, True, False]),
    process=st.booleans(),
)
STEPS = st.lists(st.tuples(LOOKS, st.sampled_from([0.25, 1.0, 4.0])), max_size=40)


def seen(status=BUSY, **changes):
    return attrs.evolve(LOOK, status=status, **changes)


class Case(SynchronousTestCase):
    def outcome(self, waiting, looks, now):
        verdict = waiting.look(looks, now)
        return None if verdict is None else verdict.outcome


class Freedom(Case):
    def test_it_waits_while_builds_run_and_ends_when_the_master_has_promised(self):
        waiting = Waiting(MINE, 0)
        self.assertIsNone(waiting.look(seen(), 0.25))
        self.assertEqual(waiting.progress, '1 build still runs')
        verdict = waiting.look(seen(attrs.evolve(FREE, at=2.0)), 0.5)
        self.assertEqual(verdict.outcome, Outcome.FREE)
        self.assertTrue(
            verdict.sentence.startswith(
                'free. Nothing runs and nothing will start until you resume'
            )
        )

    def test_a_new_word_may_be_free_at_the_first_look(self):
        self.assertEqual(self.outcome(Waiting(MINE, 0), seen(FREE), 0), Outcome.FREE)

    def test_each_doubt_is_enough_not_to_be_free(self):
        for doubt in (
            seen(attrs.evolve(FREE, word='other')),
            seen(attrs.evolve(FREE, free=False)),
            seen(attrs.evolve(FREE, draining=False)),
            seen(FREE, word=None),
            seen(None),
            seen(FREE, beats=False, process=True),
        ):
            self.assertIsNone(Waiting(MINE, 0).look(doubt, 0), doubt)

    def test_of_an_older_word_the_status_must_be_written_anew(self):
        waiting = Waiting(MINE, 0, new=False)
        self.assertIsNone(waiting.look(seen(FREE), 0))
        self.assertIsNone(waiting.look(seen(FREE), 0.25))
        self.assertEqual(
            self.outcome(waiting, seen(attrs.evolve(FREE, at=6.0)), 5.25), Outcome.FREE
        )

    def test_what_a_dead_reporter_left_behind_does_not_count_for_the_next_one(self):
        waiting = Waiting(MINE, 0)
        self.assertIsNone(waiting.look(seen(), 0))
        self.assertIsNone(waiting.look(seen(FREE, beats=False, process=True), 1))
        self.assertIsNone(waiting.look(seen(FREE), 2))
        self.assertIsNone(waiting.look(seen(attrs.evolve(BUSY, incarnation='b')), 2.25))
        anew = attrs.evolve(FREE, incarnation='b', at=3.0)
        self.assertEqual(self.outcome(waiting, seen(anew), 3), Outcome.FREE)

    @given(st.booleans(), STEPS)
    @settings(max_examples=500)
    def test_it_is_free_only_by_a_status_that_changed_while_the_pulse_beat(self, new, steps):
        waiting, now = Waiting(MINE, 0, new=new), 0.0
        distrusted: set[tuple[str, float] | None] = set()
        unsure = not new
        for look, step in steps:
            now += step
            stamp = None if look.status is None else (look.status.incarnation, look.status.at)
            if not look.beats:
                unsure = True
            elif unsure:
                unsure, distrusted = False, {stamp}
            verdict = waiting.look(look, now)
            if verdict is not None:
                if verdict.outcome is Outcome.FREE:
                    self.assertTrue(look.beats and look.holds and look.word == MINE)
                    self.assertTrue(look.status.free and look.status.word == MINE)
                    self.assertNotIn(stamp, distrusted)
                return


class OtherWords(Case):
    def test_whoever_says_something_else_ends_the_wait(self):
        for look in (seen(FREE, word='other'), seen(word='', holds=False), seen(holds=False)):
            self.assertEqual(self.outcome(Waiting(MINE, 0), look, 0), Outcome.OTHER_WORD)

    def test_a_file_that_stays_unreadable_ends_it_too_a_moment_does_not(self):
        waiting = Waiting(MINE, 0)
        for now in (0, UNREADABLE_FOR - 1):
            self.assertIsNone(waiting.look(seen(FREE, word=None), now))
        self.assertIsNone(waiting.look(seen(), UNREADABLE_FOR))
        self.assertIsNone(waiting.look(seen(word=None), UNREADABLE_FOR + 1))
        self.assertEqual(
            self.outcome(waiting, seen(word=None), 2 * UNREADABLE_FOR + 1), Outcome.OTHER_WORD
        )


class Masters(Case):
    away = seen(attrs.evolve(BUSY, connected=False))

    def test_a_master_that_is_silent_without_interruption_ends_it(self):
        waiting = Waiting(MINE, 0, master_timeout=30)
        self.assertIsNone(waiting.look(self.away, 0))
        self.assertEqual(waiting.progress, 'waits for the master')
        self.assertIsNone(waiting.look(self.away, 29.75))
        self.assertEqual(self.outcome(waiting, self.away, 30), Outcome.NO_MASTER)

    def test_one_that_answers_meanwhile_starts_the_patience_anew(self):
        waiting = Waiting(MINE, 0, master_timeout=30)
        heard = seen(attrs.evolve(BUSY, at=20.0))
        for now, look in ((0, self.away), (20, heard), (21, self.away), (50, self.away)):
            self.assertIsNone(waiting.look(look, now), now)
        self.assertEqual(self.outcome(waiting, self.away, 51), Outcome.NO_MASTER)

    def test_a_restart_of_the_worker_starts_the_patience_anew(self):
        waiting = Waiting(MINE, 0, master_timeout=30)
        for now, look in (
            (0, self.away),
            (20, attrs.evolve(self.away, beats=False, process=True)),
            (22, self.away),
            (51, self.away),
        ):
            self.assertIsNone(waiting.look(look, now), now)
        self.assertEqual(self.outcome(waiting, self.away, 52), Outcome.NO_MASTER)

    def test_a_status_about_another_word_is_no_answer(self):
        waiting = Waiting(MINE, 0, master_timeout=30)
        other = seen(attrs.evolve(BUSY, word='other'))
        self.assertIsNone(waiting.look(other, 0))
        self.assertEqual(self.outcome(waiting, other, 30), Outcome.NO_MASTER)

    def test_a_reporter_that_hangs_is_no_answer_either(self):
        waiting = Waiting(MINE, 0, master_timeout=30)
        for now in (0, SILENT_AFTER - 1, SILENT_AFTER, SILENT_AFTER + 29):
            self.assertIsNone(waiting.look(seen(), now), now)
        self.assertEqual(self.outcome(waiting, seen(), SILENT_AFTER + 30), Outcome.NO_MASTER)

    def test_a_long_build_under_a_master_that_answers_may_take_for_ever(self):
        waiting = Waiting(MINE, 0)
        for now in range(0, 10_000, 5):
            self.assertIsNone(waiting.look(seen(attrs.evolve(BUSY, at=float(now))), now))


class NoReporter(Case):
    def test_a_worker_that_does_not_run_ends_it_at_once(self):
        verdict = Waiting(MINE, 0).look(seen(FREE, beats=False), 0)
        self.assertEqual(verdict.outcome, Outcome.NOT_RUNNING)
        self.assertEqual(verdict.sentence, 'not running; the word is kept and nothing can start.')

    def test_a_process_without_a_pulse_has_some_time_to_start(self):
        waiting, look = Waiting(MINE, 0), seen(beats=False, process=True)
        self.assertIsNone(waiting.look(look, 0))
        self.assertIsNone(waiting.look(look, START_GRACE - 1))
        verdict = waiting.look(look, START_GRACE)
        self.assertEqual(verdict.outcome, Outcome.NO_MASTER)
        self.assertIn('without a reporter', verdict.sentence)
        self.assertIn('attach', verdict.sentence)

    def test_a_reporter_that_starts_in_time_is_waited_for(self):
        waiting, starting = Waiting(MINE, 0), seen(None, beats=False, process=True)
        self.assertIsNone(waiting.look(starting, 0))
        self.assertIsNone(waiting.look(seen(), 5))
        self.assertIsNone(waiting.look(starting, 9))
        self.assertIsNone(waiting.look(starting, START_GRACE + 8))

    def test_nothing_is_claimed_of_a_word_that_cannot_be_read(self):
        waiting = Waiting(MINE, 0)
        self.assertIsNone(waiting.look(seen(None, word=None, beats=False), 0))


class Timeouts(Case):
    def test_the_time_is_over_while_builds_run(self):
        waiting = Waiting(MINE, 100, timeout=10)
        self.assertEqual(waiting.left(104), 6)
        self.assertIsNone(waiting.look(seen(), 109.75))
        verdict = waiting.look(seen(), 110)
        self.assertEqual(verdict.outcome, Outcome.TIMEOUT)
        self.assertIn('1 build still runs', verdict.sentence)

    def test_what_is_free_at_the_last_look_is_free(self):
        self.assertEqual(self.outcome(Waiting(MINE, 0, timeout=0), seen(FREE), 9), Outcome.FREE)

    def test_a_master_that_never_answered_is_named_instead(self):
        waiting = Waiting(MINE, 0, timeout=5)
        self.assertEqual(self.outcome(waiting, Masters.away, 5), Outcome.NO_MASTER)

    def test_one_that_answered_once_is_not(self):
        waiting = Waiting(MINE, 0, timeout=5)
        self.assertIsNone(waiting.look(seen(), 0))
        self.assertEqual(self.outcome(waiting, Masters.away, 5), Outcome.TIMEOUT)

    @given(STEPS, st.sampled_from([0.0, 3.0, 20.0]))
    @settings(max_examples=300)
    def test_a_look_after_the_timeout_is_always_the_last(self, steps, timeout):
        waiting, now = Waiting(MINE, 0, timeout=timeout), 0.0
        for look, step in steps:
            now += step
            verdict = waiting.look(look, now)
            if verdict is not None:
                self.assertNotIn('\n', verdict.sentence)
                self.assertEqual(verdict.outcome is Outcome.FREE, 'free' in verdict.sentence)
                return
            self.assertLess(now, timeout)

    @given(STEPS)
    def test_without_a_timeout_nothing_is_called_one(self, steps):
        waiting, now = Waiting(MINE, 0), 0.0
        for look, step in steps:
            now += step
            verdict = waiting.look(look, now)
            if verdict is not None:
                self.assertIsNot(verdict.outcome, Outcome.TIMEOUT)
                return
            self.assertTrue(waiting.progress)


class Progress(Case):
    def test_it_says_what_it_waits_for(self):
        for changes, said in (
            ({'running': 2}, '2 builds still run'),
            ({'running': 1, 'left': 3}, '1 build still runs'),
            ({'running': 0, 'left': 1}, '1 process of a build is still here'),
            ({'running': 0, 'left': 2}, '2 processes of builds are still here'),
            ({'running': 0, 'left': 0}, 'waits for the master'),
            ({'connected': False}, 'waits for the master'),
        ):
            waiting = Waiting(MINE, 0)
            self.assertIsNone(waiting.look(seen(attrs.evolve(BUSY, **changes)), 0))
            self.assertEqual(waiting.progress, said)

    def test_the_worst_of_several_is_the_largest(self):
        order = [Outcome.FREE, Outcome.NOT_RUNNING, Outcome.NO_MASTER, Outcome.TIMEOUT]
        self.assertEqual(sorted([*order, Outcome.OTHER_WORD]), [*order, Outcome.OTHER_WORD])
        self.assertEqual([int(outcome) for outcome in order], [0, 3, 4, 5])
