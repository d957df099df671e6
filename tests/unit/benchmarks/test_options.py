# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import contextlib
import io
from unittest import TestCase

from benchmarks.__main__ import main


def complaint(*arguments):
    """The exit code and what is said; nothing is measured."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            code = main(arguments)
        except SystemExit as e:
            code = e.code
    return code, said.getvalue()


class BadInput(TestCase):
    def test_a_bad_size_gets_a_sentence(self):
        code, said = complaint('--sizes', '1/2')
        self.assertEqual(code, 2)
        self.assertIn("'1/2' is not BUILDERS/WORKERS/PENDING", said)

    def test_no_starts_is_no_measurement(self):
        code, said = complaint('--starts', '0')
        self.assertEqual(code, 2)
        self.assertIn("'0' is not a number above 0", said)

    def test_one_profile_is_of_one_measurement(self):
        code, said = complaint('--profile', 'there')
        self.assertEqual(code, 2)
        self.assertIn('--profile takes one measurement', said)
