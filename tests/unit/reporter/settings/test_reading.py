# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from pathlib import Path

import attrs
from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.window import Window
from buildbot_balancer.reporter.settings.problem import SettingsError
from buildbot_balancer.reporter.settings.reading import WINDOW
from buildbot_balancer.reporter.settings.reading import read
from buildbot_balancer.reporter.settings.sections import SECTIONS
from buildbot_balancer.reporter.settings.sections import Settings
from buildbot_balancer.reporter.settings.sections import keys

GOOD = """\
interval = "5s"
owner = "Ann"
[[window]]
days = "Mon-Fri"
from = "09:00"
to = 17:00:00
timezone = "Europe/Berlin"
mood = "reluctant"
[[window]]
from = "22:00"
to = "06:00"
mood = "offline"
[load]
busy = 0.7
[idle]
for = "15m"
[pressure]
cpu = {busy = 40, free = 10}
io = "30 %"
[busy_with]
programs = ["obs"]
[disk]
least = "20 GB"
[command]
run = "bin/mood -x 'a b'"
[publish]
details = true
"""
WORDS = st.sampled_from(
    [*SECTIONS, WINDOW, 'interval', 'owner', 'mood', 'busy', 'for', 'from', 'to', 'x', 'lod']
)
SCALARS = st.one_of(
    st.sampled_from(
        ['"eager"', '"5m"', '"9:00"', '1', 'true', '1e400', 'nan', '"x"', '1979-05-27']
    ),
    st.integers().map(str),
)
LINES = st.one_of(
    WORDS.map(lambda name: f'[{name}]'),
    WORDS.map(lambda name: f'[[{name}]]'),
    st.builds('{} = {}'.format, WORDS, SCALARS),
    st.builds('{} = [{}]'.format, WORDS, SCALARS),
    st.builds('{} = {{busy = {}}}'.format, WORDS, SCALARS),
)


class Good(SynchronousTestCase):
    def test_all_of_it_is_read(self):
        found = read(GOOD)
        self.assertEqual((found.interval, found.owner, found.details), (5.0, 'Ann', True))
        self.assertEqual(
            found.windows,
            (
                Window('Mon-Fri', '09:00', '17:00', timezone='Europe/Berlin', mood=Mood.RELUCTANT),
                Window('daily', '22:00', '06:00', timezone='local', mood=Mood.OFFLINE),
            ),
        )
        self.assertEqual((found.load.busy, found.load.free_again, found.load.hold), (0.7, 0.35, 60))
        self.assertEqual((found.idle.after, found.idle.otherwise), (900.0, Mood.RELUCTANT))
        self.assertEqual(found.pressure.limits(), {'cpu': (40.0, 10.0), 'io': (30.0, 15.0)})
        self.assertEqual(found.busy_with.programs, ('obs',))
        self.assertEqual((found.disk.least, found.disk.free_again), (20e9, 22e9))
        self.assertEqual(found.command.run, ('bin/mood', '-x', 'a b'))
        self.assertIsNone(found.battery)

    def test_an_empty_file_asks_for_nothing(self):
        self.assertEqual(read(''), Settings())
        self.assertEqual(read('# nothing\n'), Settings())

    def test_what_is_unknown_is_as_busy_where_nothing_else_is_said(self):
        found = read(
            '[idle]\nfor = "1m"\notherwise = "offline"\n[load]\nbusy = 1\n[command]\nrun="x"'
        )
        self.assertIs(found.idle.when_unknown, Mood.OFFLINE)
        self.assertIs(found.load.when_unknown, Mood.RELUCTANT)
        self.assertIs(found.command.when_unknown, Mood.RELUCTANT)
        self.assertIs(read('[load]\nbusy = 1\nunknown = "eager"').load.when_unknown, Mood.EAGER)

    def test_a_home_is_found(self):
        found = read('[disk]\nleast = "1 GB"\npath = "~/builds"\n[command]\nrun = ["~/mood", "~"]')
        self.assertEqual(found.disk.path, Path.home() / 'builds')
        self.assertEqual(found.command.run, (str(Path.home() / 'mood'), '~'))


class Bad(SynchronousTestCase):
    def problems(self, text):
        error = self.assertRaises(SettingsError, read, text)
        return [str(problem) for problem in error.problems]

    def check(self, *cases):
        for text, *expected in cases:
            self.assertEqual(self.problems(text), expected, text)

    def test_every_error_is_told_with_its_line(self):
        self.check(
            (
                'intervall = "5s"\n\n[load]\nbusy = "much"\nfre = 1\nmood = "eagre"\n',
                'line 1: intervall is no key that is known; did you mean interval?',
                'line 4: [load] busy must be a number from 0.01 to 1000, not "much"',
                'line 5: [load] fre is no key that is known here; did you mean free?',
                (
                    'line 6: [load] mood must be a mood: "eagre" is no mood (one of offline,'
                    ' going-on-holiday, reluctant, eager, or auto); did you mean "eager"?'
                ),
            )
        )

    def test_sections(self):
        self.check(
            ('[lod]', 'line 1: lod is no section that is known; did you mean load?'),
            ('load = 1', 'line 1: [load] must be a section of its own, [load], and only once'),
            ('[[load]]', 'line 1: [load] must be a section of its own, [load], and only once'),
            ('[window]', 'line 1: [[window]] must be written [[window]], with two brackets each'),
            ('window = 1', 'line 1: [[window]] must be written [[window]], with two brackets each'),
            ('[idle]', 'line 1: [idle] needs for'),
            ('[pressure]', 'line 1: [pressure] needs at least one of cpu, io and memory'),
            ('[outside]\nmood = "eager"', 'line 1: [outside] needs at least one [[window]]'),
        )

    def test_a_key_below_a_section_that_belongs_above_all(self):
        self.check(
            (
                '[publish]\ninterval = "5s"',
                (
                    'line 2: [publish] interval is no key that is known here;'
                    ' interval stands above the first section'
                ),
            )
        )

    def test_windows(self):
        self.check(
            (
                (
                    '[[window]]\nmood = "offline"\n[[window]]\ndays = "Mondy"\nfrom = "25:00"\n'
                    'to = 5\ntimezone = "Berlin"\nmood = 5'
                ),
                'line 1: [[window]] needs from',
                'line 1: [[window]] needs to',
                (
                    'line 4: [[window]] days is wrong: "Mondy" is no weekday'
                    ' (Mon, Tue, ... Sun, or Mon-Fri); did you mean "Mon"?'
                ),
                (
                    'line 5: [[window]] from is wrong: "25:00" is no time of day'
                    ' (such as 08:30, up to 24:00)'
                ),
                (
                    'line 6: [[window]] to is wrong: "5" is no time of day'
                    ' (such as 08:30, up to 24:00)'
                ),
                (
                    'line 7: [[window]] timezone is wrong: there is no timezone "Berlin"'
                    ' (such as Europe/Berlin, or UTC); did you mean "Europe/Berlin"?'
                ),
                (
                    'line 8: [[window]] mood must be a mood'
                    ' ("offline", "going-on-holiday", "reluctant", "eager"), not 5'
                ),
            ),
            (
                '[[window]]\nmood = "offline"\nto = "8:00"\nfrom = "08:00"',
                (
                    'line 4: [[window]] from is wrong: a window from 08:00 to 08:00 has no length'
                    ' (a whole day is from 00:00 to 24:00)'
                ),
            ),
            (
                '[[window]]\nmood = "eager"\nto = "8:00"\nfrom = "07:00"',
                (
                    'line 1: [[window]] changes nothing, for outside it the mood is eager too'
                    ' (say which one in [outside])'
                ),
            ),
        )

    def test_values_that_do_not_go_together(self):
        self.check(
            ('[load]\nbusy = 1\nfree = 1', 'line 3: [load] free must be less than busy (1)'),
            (
                '[disk]\nleast = "2 GB"\nenough = "1 GB"',
                'line 3: [disk] enough must not be smaller than least',
            ),
            (
                '[pressure]\n\nio = {busy = 5, free = 6}',
                'line 3: [pressure] io must have a free that is less than its busy (5)',
            ),
            (
                '[idle]\nfor = "5m"\nmood = "reluctant"',
                (
                    'line 1: [idle] otherwise must be less willing than mood (reluctant),'
                    ' or idle time means nothing'
                ),
            ),
        )

    def test_values(self):
        size = 'must be a size such as "20 GB" or "500 MiB", not'
        for text, end in (
            ('interval = "1ms"', 'interval must be a duration: "1ms" is no duration'),
            ('interval = "2h"', 'interval must be from 0.1 s to 1 h, not "2h"'),
            ('interval = 5', 'interval must be a duration in quotes, such as "5m", not 5'),
            ('owner = 5', 'owner must be a text, not 5'),
            ('owner = ""', 'owner must be a text, not ""'),
            (f'owner = "{"x" * 201}"', 'owner must be at most 200 characters long'),
            ('[load]\nbusy = inf', 'must be a number from 0.01 to 1000, not inf'),
            ('[load]\nbusy = nan', 'must be a number from 0.01 to 1000, not nan'),
            (f'[load]\nbusy = {"9" * 400}', 'must be a number from 0.01 to 1000, not 9999'),
            ('[load]\nbusy = true', 'must be a number from 0.01 to 1000, not true'),
            ('[battery]\nbelow = "x"', 'must be a percentage such as 40 or "40 %", not "x"'),
            ('[battery]\nbelow = 101', 'must be a percentage such as 40 or "40 %", not 101'),
            ('[disk]\nleast = 5', f'[disk] least {size} 5'),
            ('[disk]\nleast = "5 ib"', f'[disk] least {size} "5 ib"'),
            ('[disk]\nleast = "-5 GB"', f'[disk] least {size} "-5 GB"'),
            ('[disk]\nleast = "1 GB"\npath = "~nobody0/x"', 'path must be a path, not'),
            ('[busy_with]\nprograms = []', 'must be a list of names of programs, not []'),
            (
                '[busy_with]\nprograms = ["/bin/x"]',
                'must be names of programs, not paths: "/bin/x"',
            ),
            ('[command]\nrun = "a \'"', 'run must be a command line, not "a \'" (No closing'),
            ('[command]\nrun = ["a", 1]', 'must be a program with its arguments'),
            ('[command]\nrun = ""', 'must be a program with its arguments'),
            ('[command]\nrun = ["a\\u0000"]', 'must be a program with its arguments'),
            ('[publish]\ndetails = 1', '[publish] details must be true or false, not 1'),
            ('[pressure]\ncpu = {bussy = 1}', 'must be one number, or {busy = 40, free = 20}'),
        ):
            (found,) = self.problems(text)
            self.assertIn(end, found, text)
            self.assertLess(len(found), 250)

    def test_sizes_as_people_write_them(self):
        for text, size in (
            ('20 GB', 20e9),
            ('20gb', 20e9),
            ('1.5 TiB', 1.5 * 2**40),
            ('500 M', 5e8),
            ('7 B', 7),
            ('7', 7),
        ):
            self.assertEqual(read(f'[disk]\nleast = "{text}"').disk.least, size, text)


class NoToml(SynchronousTestCase):
    def said(self, text):
        (problem,) = self.assertRaises(SettingsError, read, text).problems
        return problem

    def test_the_line_is_told(self):
        for text, line in (('a = 1\nb = \n', 2), ('[load', 1), ('a = 1\na = 2\n', 2), ('x = "', 1)):
            self.assertEqual(self.said(text).line, line, text)
            self.assertIn('it is no TOML', self.said(text).sentence)

    def test_who_forgets_the_quotes_is_told(self):
        for value in ('eager', '5m', '9:00', '50 %', '~/bin/x', '/bin/x', '1.5h'):
            self.assertIn('stands in quotes', self.said(f'[load]\nx = {value}\n').sentence, value)
        self.assertNotIn('stands in quotes', self.said('x = "a\n').sentence)

    def test_what_only_a_machine_would_write_is_an_error_too(self):
        for text in ('x = ' + '[' * 5000, 'x = ' + '9' * 5000, '\x00'):
            self.assertIn('it is no TOML', self.said(text).sentence)


class AnyText(SynchronousTestCase):
    @given(st.one_of(st.text(), st.lists(LINES, max_size=12).map('\n'.join)))
    @example('[command]\nrun = ""')
    @example('[disk]\nleast = "' + '9' * 400 + '"')
    def test_it_is_read_or_each_error_has_a_line_and_a_sentence(self, text):
        try:
            found = read(text)
        except SettingsError as e:
            self.assertTrue(e.problems)
            for problem in e.problems:
                self.assertTrue(1 <= problem.line <= text.count('\n') + 1, problem)
                self.assertEqual(len(problem.sentence.splitlines()), 1, problem)
            return
        self.assertIsInstance(found, Settings)

    def test_every_section_is_read_into_its_own_field(self):
        fields = {field.name for field in attrs.fields(Settings)}
        self.assertEqual(set(SECTIONS) - fields, {'publish'})
        self.assertEqual(set(keys(Settings)), {'interval', 'owner'})
