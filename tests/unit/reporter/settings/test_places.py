# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.reporter.settings.places import find

TEXT = '''\
# interval = "1s"
interval = "5s"  # [load]
"owner" = "Ann = [x]"

[load]
busy = 0.7
text = """
[idle]
for = 1
"""
run = [
  "a", # ]
  'b]',
]
more = {a = 1, b = "}"}
after = 1
  [[window]]
  from = "9:00"
[[window]]
from = "10:00"
days = ["Mon",
        "Tue"]
[a . "b.c"]
d.e = 1
last = \'\'\'it"s
x = 1\'\'\'
end = 1
deep = [
  [ 1 ],
]
after = 1
'''
KEYS = st.from_regex('[a-z]{1,8}', fullmatch=True)
VALUES = st.recursive(
    st.integers(0, 99) | st.booleans() | st.text('ab"\'#[]{}=\\\n ', max_size=8),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


class Lines(SynchronousTestCase):
    def test_each_key_is_on_its_line(self):
        places = find(TEXT)
        for path, line in (
            (('interval',), 2),
            (('owner',), 3),
            (('load',), 5),
            (('load', 'busy'), 6),
            (('load', 'text'), 7),
            (('load', 'run'), 11),
            (('load', 'more'), 15),
            (('load', 'after'), 16),
            (('window', 0), 17),
            (('window', 0, 'from'), 18),
            (('window', 1), 19),
            (('window', 1, 'from'), 20),
            (('window', 1, 'days'), 21),
            (('a', 'b.c'), 23),
            (('a', 'b.c', 'd', 'e'), 24),
            (('a', 'b.c', 'end'), 27),
            (('a', 'b.c', 'deep'), 28),
            (('a', 'b.c', 'after'), 31),
        ):
            self.assertEqual(places.line(path), line, path)

    def test_what_is_not_found_is_at_the_nearest_thing_around_it(self):
        places = find(TEXT)
        self.assertEqual(places.line(('load', 'more', 'a')), 15)
        self.assertEqual(places.line(('load', 'gone')), 5)
        self.assertEqual(places.line(('gone',)), 1)
        self.assertEqual(places.line(()), 1)

    def test_line_ends_of_windows_count_once(self):
        places = find('a = 1\r\n\r\n[b]\r\nc = """\r\n"""\r\nd = 1\r\n')
        self.assertEqual(places.line(('b', 'c')), 4)
        self.assertEqual(places.line(('b', 'd')), 6)

    @given(st.lists(st.tuples(KEYS, st.dictionaries(KEYS, VALUES, max_size=4)), max_size=4))
    def test_a_text_that_was_written_line_by_line_is_found_line_by_line(self, tables):
        lines, expected = [], {}
        for name, table in dict(tables).items():
            lines += ['', f'[{name}]']
            expected[name,] = len(lines)
            for key, value in table.items():
                lines.append(f'{key} = {json.dumps(value)}  # "[')
                expected[name, key] = len(lines)
        places = find('\n'.join(lines))
        self.assertEqual({path: places.line(path) for path in expected}, expected)
