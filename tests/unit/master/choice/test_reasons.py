# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace

from buildbot.locks import RealMasterLock
from buildbot.locks import RealWorkerLock
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.locks.realbranch import BranchDoor
from buildbot_balancer.master.choice.reasons import reason_for
from buildbot_balancer.master.choice.selection import Choice
from buildbot_balancer.master.distribution.lane import Lane
from buildbot_balancer.master.distribution.parking import NOBODY
from buildbot_balancer.policy.verdict import Verdict

WORKERS = frozenset({'w1', 'w2', 'w3'})
RECHECK_AT = 1030.0
NEVER = Verdict.never('not-chosen', 'is not w3')
BUSY = Verdict.not_now('busy', 'runs a build', fact='builds')
LOCKED = Verdict.not_now('lock', 'would wait for m', ('m',), fact='lock')
ODD = Verdict.not_now('odd', 'is odd')


def at(moment):
    return Verdict.not_now('hour', 'waits for the hour', again_at=moment, fact='time')


def choice(missing=None, on=None):
    outlook = SimpleNamespace(wanted=SimpleNamespace(on=on))
    return Choice(outlook=outlook, missing=missing or {})


def reason(verdicts, **more):
    return reason_for(Lane(0, 'b', WORKERS), choice(**more), verdicts, RECHECK_AT)


def on_all(lock):
    return {name: [(lock, None)] for name in WORKERS}


class Facts(SynchronousTestCase):
    def test_a_change_of_a_worker_that_would_do_helps(self):
        found = reason({'w1': BUSY})
        self.assertEqual(found.workers, WORKERS)
        self.assertFalse(found.unnamed)
        self.assertIsNone(found.at)

    def test_a_change_of_one_that_never_does_helps_nothing(self):
        self.assertEqual(reason({'w1': NEVER, 'w2': NEVER}).workers, {'w3'})

    def test_the_first_moment_that_a_verdict_names_is_kept(self):
        self.assertEqual(reason({'w1': at(1200), 'w2': at(1100), 'w3': BUSY}).at, 1100)

    def test_code_that_names_no_fact_is_asked_again_at_the_recheck_and_at_each_wake(self):
        found = reason({'w1': ODD, 'w2': BUSY})
        self.assertTrue(found.unnamed)
        self.assertEqual(found.at, RECHECK_AT)

    def test_so_is_a_nextworker_that_would_not_have_it(self):
        found = reason({'w1': None, 'w2': NEVER})
        self.assertTrue(found.unnamed)
        self.assertEqual(found.at, RECHECK_AT)
        self.assertEqual(found.workers, {'w1', 'w3'})

    def test_a_moment_before_the_recheck_wins(self):
        self.assertEqual(reason({'w1': ODD, 'w2': at(1001)}).at, 1001)

    def test_a_never_that_names_no_fact_is_not_asked_again(self):
        found = reason({'w1': NEVER})
        self.assertFalse(found.unnamed)
        self.assertIsNone(found.at)


class Locks(SynchronousTestCase):
    def test_a_worker_whose_lock_is_held_is_waited_for_by_the_lock(self):
        missing = {'w1': [(RealWorkerLock('m'), None)]}
        self.assertEqual(reason({'w1': LOCKED}, missing=missing).workers, {'w2', 'w3'})

    def test_one_that_is_the_same_everywhere_is_waited_for_alone(self):
        branch = BranchDoor(SimpleNamespace(lockName='v'))
        for lock in (RealMasterLock('m'), branch):
            found = reason({'w1': LOCKED, 'w2': LOCKED}, missing=on_all(lock))
            self.assertEqual(found.workers, NOBODY)

    def test_locks_that_are_rendered_may_be_others_on_another_worker(self):
        found = reason({'w1': LOCKED}, missing=on_all(RealMasterLock('m')), on={})
        self.assertEqual(found.workers, {'w2', 'w3'})

    def test_a_lock_for_which_nobody_waits_is_no_reason_to_be_woken_by_nothing(self):
        """It names w3, which is busy, and its builder's lock is held: nobody subscribed to that."""
        found = reason({'w1': NEVER, 'w2': NEVER}, missing=on_all(RealMasterLock('m')))
        self.assertEqual(found.workers, {'w3'})
        found = reason({'w1': BUSY}, missing=on_all(RealMasterLock('m')))
        self.assertEqual(found.workers, WORKERS)

    VERDICTS = st.sampled_from([None, NEVER, BUSY, LOCKED, ODD, at(1100.0)])

    @given(st.dictionaries(st.sampled_from(sorted(WORKERS)), VERDICTS, min_size=1), st.booleans())
    def test_somebody_wakes_it_unless_no_worker_is_left_that_could_ever_take_it(
        self, verdicts, everywhere
    ):
        lock = RealMasterLock('m') if everywhere else RealWorkerLock('m')
        held = everywhere or LOCKED in verdicts.values()
        found = reason(verdicts, missing=on_all(lock) if held else {})
        # who says "lock" is subscribed to it
        woken = bool(found.workers) or found.at is not None or LOCKED in verdicts.values()
        never = set(verdicts) == WORKERS and set(verdicts.values()) == {NEVER}
        self.assertTrue(woken or never)
