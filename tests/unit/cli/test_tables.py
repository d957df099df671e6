# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import io
import time
from unittest import mock

from rich.text import Text
from support.stage import StageCase
from support.stage import worker
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cli import cells
from buildbot_balancer.cli.tables import Screen

HEADS = ('name', 'load', 'words')


class Terminal(io.StringIO):
    def isatty(self):
        return True


def row(*cells):
    return tuple(Text(cell, style='green') for cell in cells)


class Case(SynchronousTestCase):
    def shown(self, rows, out=None, width=80, env=None, heads=HEADS):
        out = out or Terminal()
        given = {'TERM': 'xterm-256color', 'COLORTERM': '', 'NO_COLOR': '', **(env or {})}
        with mock.patch.dict('os.environ', given):
            Screen.of(out, width).table(heads, rows)
        return out.getvalue()


class Colours(Case):
    def test_a_terminal_has_them(self):
        self.assertIn('\x1b[32m', self.shown([row('a', '1', 'x')]))

    def test_no_color_takes_them_all(self):
        self.assertNotIn('\x1b', self.shown([row('a', '1', 'x')], env={'NO_COLOR': '1'}))

    def test_a_terminal_that_can_do_nothing_has_none(self):
        self.assertNotIn('\x1b', self.shown([row('a', '1', 'x')], env={'TERM': 'dumb'}))

    def test_a_pipe_has_none_whatever_the_environment_says(self):
        env = {'FORCE_COLOR': '1', 'CLICOLOR_FORCE': '1', 'TTY_COMPATIBLE': '1'}
        self.assertNotIn('\x1b', self.shown([row('a', '1', 'x')], io.StringIO(), env=env))


class Widths(Case):
    PROSE = 'word ' * 30

    def test_in_a_pipe_a_row_is_one_line_without_trailing_blanks(self):
        output = self.shown([row('a', '1', self.PROSE), row('bb', '2', 'x')], io.StringIO())
        self.assertEqual(
            output, f'name  load  words\na     1     {self.PROSE.strip()}\nbb    2     x\n'
        )

    def test_on_a_terminal_prose_is_wrapped_and_no_line_is_wider(self):
        output = self.shown([row('a', '1', self.PROSE)], width=50, env={'NO_COLOR': '1'})
        self.assertGreater(output.count('\n'), 3)
        self.assertLessEqual(max(map(len, output.splitlines())), 50)
        self.assertTrue(output.startswith('name  load  words'))

    def test_on_a_narrow_one_each_row_is_a_paragraph_without_empty_cells(self):
        rows = [row('a' * 20, '1', 'word'), row('b', '', 'x')]
        output = self.shown(rows, width=24, env={'NO_COLOR': '1'})
        self.assertEqual(output, f'{"a" * 20}\n  load: 1\n  words: word\nb\n  words: x\n')

    def test_wide_letters_are_counted_as_wide(self):
        output = self.shown([row('日本', '1', 'x'), row('abcd', '2', 'y')], io.StringIO())
        self.assertEqual(output, 'name  load  words\n日本  1     x\nabcd  2     y\n')

    def test_wide_letters_make_a_table_too_wide_sooner(self):
        rows = [row('\u65e5\u672c' * 5, '1', 'x')]
        output = self.shown(rows, width=30, env={'NO_COLOR': '1'})
        self.assertIn('  load: 1\n', output)

    def test_no_rows_are_no_failure(self):
        self.assertEqual(self.shown([], io.StringIO()), 'name  load  words\n')


class Strangers(StageCase):
    """What somebody typed is shown as it was typed, and does nothing."""

    def test_neither_markup_nor_escapes_nor_emoji_work(self):
        hostile = (
            '[bold red]x[/] :smile: \x1b[31m\x07\x9b2J [link=http://x]y[/link] \\[z] \u202eab\r\n'
        )
        self.has('workers', 'balancer_workers', [worker(hostile, reason=hostile, summary=hostile)])
        output = self.run_ok('workers')
        self.assertEqual(
            output.count('[bold red]x[/] :smile: [31m2J [link=http://x]y[/link] \\[z] ab'), 3
        )
        self.assertFalse(set(output) & set('\x1b\x07\x9b\u202e\r'))
        self.assertEqual(output.count('\n'), 2)

    def test_objects_with_fields_of_a_wrong_kind_or_none_are_shown_all_the_same(self):
        strange = {key: [{'a': 1}] for key in worker()}
        self.has('workers', 'balancer_workers', [{}, strange, worker(load='x', until='x')])
        self.assertEqual(self.run_ok('workers').count('\n'), 4)


class Cells(SynchronousTestCase):
    def test_what_is_no_time_is_no_failure(self):
        now = time.time()
        for value in (None, 'x', True, float('nan'), float('inf'), 10**400, []):
            self.assertEqual(cells.moment(value, now), '')
            self.assertEqual(cells.since(value, now), '')
            self.assertEqual(cells.span(value), '')
        self.assertEqual(cells.moment(1e18, now), '?')

    def test_a_load_is_short_and_none_is_not_zero(self):
        self.assertEqual([cells.load(x).plain for x in (0.0, 1.234, None)], ['0.00', '1.23', ''])

    def test_many_names_are_some_and_how_many_more(self):
        self.assertEqual(cells.names('abcd').plain, 'a, b, c, d')
        self.assertEqual(cells.names('abcdef').plain, 'a, b, c, d, 2 more')

    def test_moods_and_states_have_their_colours(self):
        self.assertEqual(cells.word('eager').style, 'green')
        self.assertEqual(cells.word('stuck').style, 'bold red')
        self.assertEqual(cells.word('unheard of').style, '')
