# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import attrs
from hypothesis import given
from hypothesis import strategies as st
from support.abouts import NOW
from support.abouts import an_about
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.when import clock_text
from buildbot_balancer.explain.request import Before
from buildbot_balancer.explain.request import Waiting
from buildbot_balancer.explain.sights import BuilderSight
from buildbot_balancer.explain.sights import LockSight
from buildbot_balancer.explain.sights import ShareSight
from buildbot_balancer.policy.decision import Decision
from buildbot_balancer.policy.verdict import Verdict

BUSY = {'w1': Verdict.not_now('busy', 'runs a build')}
NEVER = {'w1': Verdict.never('incapable', 'has no gpu')}
SEEN = clock_text(NOW, NOW)
HELD = LockSight(
    name='host',
    group='esx1',
    max=2,
    held=2,
    holders=(
        ShareSight(what='win #41', mode='counting', count=1),
        ShareSight(what='win #42', mode='counting', count=1),
    ),
)


def a_decision(verdicts=BUSY, **more):
    return Decision.of(verdicts, **{'request': 7, 'builder': 'win', 'at': NOW, **more})


def waiting(decision=None, **more):
    return Waiting(builder='win', now=NOW, decision=decision, **more)


class Deciding(SynchronousTestCase):
    def check(self, one, state, reason):
        self.assertEqual((one.state, one.reason), (state, reason))

    def test_it_waits_for_what_the_verdicts_say(self):
        self.check(waiting(a_decision()), 'waiting', f'0 of 1 worker: 1 busy; seen at {SEEN}')

    def test_the_locks_are_told_with_who_holds_them(self):
        one = waiting(a_decision(locks=(('host', 'esx1'),)), locks=(HELD,))
        said = 'lock host[esx1] 2 of 2 held by win #41, win #42'
        self.check(one, 'waiting', f'0 of 1 worker: 1 busy; and {said}; seen at {SEEN}')

    def test_a_lock_that_is_free_by_now_makes_it_old(self):
        itself = ShareSight(what='request 7 of win', mode='counting', count=1)
        free = attrs.evolve(HELD, held=0, holders=(), waiters=(itself,))
        reason = waiting(a_decision(locks=(('host', 'esx1'),)), locks=(free,)).reason
        said = f'0 of 1 worker: 1 busy; as of {SEEN}, which may be out of date'
        self.assertEqual(reason, said)

    def test_what_concerns_the_request_itself_comes_first(self):
        one = waiting(a_decision(note='its nextWorker chose none of 1 workers'))
        said = f'its nextWorker chose none of 1 workers; 0 of 1 worker: 1 busy; seen at {SEEN}'
        self.check(one, 'waiting', said)
        one = waiting(a_decision({}, workers=1, note='its nextWorker chose none of 1 workers'))
        self.assertEqual(one.reason, f'its nextWorker chose none of 1 workers; seen at {SEEN}')

    def test_it_is_stuck_where_waiting_does_not_help(self):
        for decision, said in (
            (a_decision(NEVER), '0 of 1 worker: 1 incapable (has no gpu)'),
            (a_decision({}), 'its builder has no worker'),
            (a_decision({}, stuck=True, note='its parent waits'), 'its parent waits'),
        ):
            reason = f'waiting does not help: {said}; seen at {SEEN}'
            self.check(waiting(decision), 'stuck', reason)

    def test_it_is_not_stuck_while_one_worker_may_take_it_later(self):
        self.assertEqual(waiting(a_decision({**NEVER, 'w2': BUSY['w1']})).state, 'waiting')
        self.assertEqual(waiting(a_decision(NEVER, workers=2)).state, 'waiting')


class Moments(SynchronousTestCase):
    def test_one_that_is_older_than_the_recheck_may_be_out_of_date(self):
        old = a_decision(at=NOW - 31)
        self.assertIn(f'as of {clock_text(NOW - 31, NOW)}, which may be', waiting(old).reason)
        self.assertIn('seen at', waiting(old, recheck=60.0).reason)

    def test_so_may_one_whose_facts_have_changed(self):
        self.assertIn('may be', waiting(a_decision(), abouts={'w1': an_about('w1')}).reason)
        busy = an_about('w1', running=1)
        self.assertIn('seen at', waiting(a_decision(), abouts={'w1': busy}).reason)


class Queued(SynchronousTestCase):
    def test_nobody_has_looked_at_it(self):
        one = waiting()
        self.assertEqual((one.state, one.reason), ('queued', 'nobody has looked at it yet'))

    def test_it_says_who_is_before_it_and_why_that_one_waits(self):
        one = waiting(before=Before(request=3, count=1, reason='0 of 1 worker: 1 busy'))
        self.assertEqual(one.reason, 'is behind request 3 of win; request 3: 0 of 1 worker: 1 busy')
        one = waiting(before=Before(request=3, count=4, reason=''))
        self.assertEqual(one.reason, 'is behind request 3 and 3 more of win')


class Paused(SynchronousTestCase):
    def test_it_says_who_paused_the_builder_why_and_until_when(self):
        paused = BuilderSight(
            builderid=1, name='win', paused=True, reason='flood', by='ann', until=NOW + 600
        )
        one = waiting(paused=paused)
        until = clock_text(NOW + 600, NOW)
        self.assertEqual(one.state, 'paused')
        self.assertEqual(one.reason, f'builder win is paused by ann ("flood", until {until})')

    def test_the_reason_beside_it_is_told_too(self):
        paused = BuilderSight(builderid=1, name='win', paused=True)
        reason = waiting(a_decision(), paused=paused).reason
        self.assertEqual(reason, f'builder win is paused; 0 of 1 worker: 1 busy; seen at {SEEN}')


class Unserved(SynchronousTestCase):
    def test_it_says_that_buildbot_alone_starts_it(self):
        reason = waiting(a_decision(), served=False).reason
        self.assertTrue(reason.startswith('the balancer does not serve builder win, so Buildbot'))
        self.assertIn('1 busy', reason)


class Anything(SynchronousTestCase):
    @given(
        st.dictionaries(
            st.text(max_size=8),
            st.builds(Verdict.not_now, st.text(max_size=9), st.text(max_size=200)),
            max_size=40,
        ),
        st.text(max_size=2000),
        st.booleans(),
    )
    def test_the_reason_is_one_bounded_line(self, verdicts, text, served):
        decision = a_decision(verdicts, note=text)
        paused = BuilderSight(builderid=1, name=text, paused=True, reason=text, by=text)
        before = Before(request=3, count=2, reason=text)
        for one in (
            waiting(decision, served=served, paused=paused),
            waiting(before=before, served=served),
        ):
            self.assertEqual(one.reason, clean(one.reason, 9999))
            self.assertLessEqual(len(one.reason), 1200)
