# SPDX-License-Identifier: GPL-2.0-or-later
"""What the owner's page says."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.reporter import says
from buildbot_balancer.reporter.page import markup
from buildbot_balancer.reporter.page.form import Form
from buildbot_balancer.reporter.page.journal import Entry
from buildbot_balancer.reporter.page.journal import Journal
from buildbot_balancer.reporter.page.sight import Sight
from buildbot_balancer.reporter.says import Says
from buildbot_balancer.reporter.status import Status
from buildbot_balancer.reporter.word import NO_WORD
from buildbot_balancer.reporter.word import Word

NOW = 1_800_000_000.0
HOSTILE = '<img src=x onerror="alert(1)">\'&amp;'
ESCAPED = '&lt;img src=x onerror=&quot;alert(1)&quot;&gt;'


def sight(word=NO_WORD, entries=(), title='anna', **status):
    known = Status(**{'mood': 'eager', 'source': 'default', 'at': NOW, **status})
    return Sight(title=title, now=NOW, status=known, word=word, entries=entries)


def text_of(shown, form=None, wrong=''):
    html = markup.page(shown, 'f' * 64, form or Form(), wrong).decode()
    return ' '.join(re.sub(r'<[^>]*>', ' ', html).split())


class Text(SynchronousTestCase):
    def test_what_people_typed_is_text_wherever_it_stands(self):
        shown = sight(
            title=HOSTILE,
            word=Word(mood=Mood.OFFLINE, reason=HOSTILE),
            entries=(Entry(NOW, HOSTILE),),
            mood='offline',
            source='owner',
            reason=HOSTILE,
            problem=HOSTILE,
            authority=(Says('command', None, HOSTILE),),
        )
        form = Form('offline', HOSTILE, HOSTILE)
        for html in (
            markup.page(shown, 'f' * 64, form, HOSTILE).decode(),
            markup.part(shown).decode(),
            markup.closed(HOSTILE).decode(),
        ):
            self.assertNotIn('<img', html)
            self.assertNotIn('="<', html)
            self.assertIn('&lt;img src=x', html)
        page = markup.page(shown, 'f' * 64, form, HOSTILE).decode()
        self.assertEqual(page.count('&lt;img src=x'), 10)
        self.assertEqual(page.count(f'value="{ESCAPED}'), 2)

    def test_it_says_who_decided_and_why(self):
        for status, said in (
            ({'source': 'default'}, 'Nobody says anything.'),
            ({'source': 'owner', 'reason': 'a talk'}, 'You said so: “a talk”'),
            ({'source': 'owner', 'until': NOW + 86400 * 2}, 'You said so until 20'),
            ({'source': 'drain', 'reason': 'moving'}, 'You drained it: “moving”'),
            ({'source': 'idle', 'reason': 'keyboard used'}, 'idle: keyboard used'),
        ):
            self.assertIn(said, text_of(sight(**status)))

    def test_everybody_who_is_asked_stands_in_the_order_of_authority_with_their_words(self):
        said = (
            Says('idle', Mood.OFFLINE, 'keyboard used'),
            Says('load', None, '0.08 by others'),
        )
        shown = sight(mood='offline', source='idle', authority=said)
        html = markup.part(shown).decode()
        rows = re.findall(r'scope="row">([^<]*)</th><td>([^<]*)</td><td>([^<]*)<', html)
        self.assertEqual(
            rows,
            [
                ('owner', '-', 'says nothing'),
                ('drain', '-', 'none'),
                ('idle', 'offline', 'keyboard used'),
                ('load', '-', '0.08 by others'),
                ('default', 'eager', 'where nobody says anything'),
            ],
        )
        self.assertEqual(re.findall(r'class="decides"><th scope="row">(\w+)', html), ['idle'])

    def test_free_is_said_of_a_drain_alone(self):
        free = 'Free: nothing runs here'
        drained = {'mood': 'offline', 'source': 'drain'}
        self.assertIn(free, text_of(sight(**drained, draining=True, free=True)))
        self.assertNotIn(free, text_of(sight(**drained, draining=True, free=False)))
        self.assertNotIn(free, text_of(sight(mood='offline', source='owner', free=True)))

    def test_builds_are_those_of_the_master_and_those_that_the_machine_sees(self):
        for running, left, said in (
            (None, 0, 'no build is known to run'),
            (None, 2, '2 commands and processes of builds here'),
            (0, 0, '0 builds run'),
            (1, 3, '1 build runs, 3 commands and processes of builds here'),
        ):
            self.assertIn(said, text_of(sight(running=running, left=left)))

    def test_the_button_that_is_in_force_is_marked(self):
        for word, said in (
            (NO_WORD, 'auto'),
            (Word(mood=Mood.OFFLINE), 'offline'),
            (Word(mood=Mood.OFFLINE, until=NOW), 'auto'),
            (Word(mood=Mood.GOING_ON_HOLIDAY, draining=True), 'drain'),
        ):
            self.assertIn(f'data-said="{said}"', markup.part(sight(word=word)).decode())

    def test_a_reporter_that_has_just_started_has_a_page_too(self):
        html = markup.page(Sight(title='anna', now=NOW), 'f' * 64, Form()).decode()
        self.assertIn('has just started', html)

    def test_enter_in_a_field_presses_no_button(self):
        html = markup.page(sight(), 'f' * 64, Form()).decode()
        first = re.search(r'<button[^>]*>', html).group()
        self.assertIn('disabled', first)
        self.assertNotIn('value', first)


class Journals(SynchronousTestCase):
    def setUp(self):
        self.journal = Journal()
        self.at = NOW

    def note(self, **status):
        self.at += 1
        self.journal.note(Status(**{'mood': 'eager', 'source': 'default', 'at': self.at, **status}))

    def words(self):
        return [entry.words for entry in self.journal.entries]

    def test_the_newest_change_is_first(self):
        self.note()
        self.note(mood='offline', source='owner', reason='mine')
        self.assertEqual(self.words(), ['offline (owner: mine)', 'eager (default)'])
        self.assertEqual([entry.at for entry in self.journal.entries], [NOW + 2, NOW + 1])

    def test_what_stays_as_it_is_is_no_change(self):
        for load in (0.1, 0.2):
            self.note(load=load, running=1)
        self.note(running=2)
        self.assertEqual(len(self.words()), 1)

    def test_what_the_machine_measures_is_told_where_the_mood_or_its_source_changes(self):
        idle = {'mood': 'offline', 'source': says.IDLE}
        self.note(**idle, reason='used 1 min ago')
        self.note(**idle, reason='used 2 min ago')
        self.note(mood='offline', source=says.LOAD, reason='0.9')
        self.note(mood='reluctant', source=says.LOAD, reason='0.9')
        self.assertEqual(len(self.words()), 3)

    def test_another_reason_or_end_of_the_owner_is_a_change(self):
        owner = {'mood': 'offline', 'source': 'owner'}
        self.note(**owner)
        self.note(**owner, reason='a')
        self.note(**owner, reason='a', until=NOW + 9)
        self.assertEqual(len(self.words()), 3)

    def test_the_master_a_free_machine_and_a_problem_are_told(self):
        self.note()
        self.note(connected=True)
        self.note(connected=True, problem='bad file')
        self.note(draining=True, free=True)
        self.assertEqual(
            self.words()[:-1],
            [
                'the problem is over',
                'free: nothing runs here, and nothing will start',
                'no master listens any more',
                'problem: bad file',
                'a master listens',
            ],
        )

    def test_it_keeps_the_last_hundred(self):
        for number in range(1000):
            self.note(source='owner', reason=str(number))
        self.assertEqual(len(self.words()), 100)
        self.assertEqual(self.words()[0], 'eager (owner: 999)')
