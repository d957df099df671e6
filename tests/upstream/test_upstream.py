# SPDX-License-Identifier: GPL-2.0-or-later
"""Buildbot's own tests, with our locks, chooser or distributor in the place of Buildbot's.

docs/upstream-tests.rst says more of each difference.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from support.snippets import ROOT
from twisted.trial.unittest import SkipTest
from twisted.trial.unittest import SynchronousTestCase
from upstream import source

LOCKS = 'unit/test_locks.py'
LOCKS_ON_A_MASTER = 'integration/test_locks.py'
DISTRIBUTION = 'unit/process/test_buildrequestdistributor.py'

# The names of upstream's tests that end otherwise with ours, and why that is meant.
RAISED = 'a limit that is raised wakes who waits at once; with Buildbot when the next one asks'
NEXT_BUILD = 'a nextBuild that raises is logged, and the oldest request of the builder goes on'
AFRESH = 'each request is offered all free workers; Buildbot leaves out those that it has tried'
ONWARD = 'a request whose start was refused goes on to the next worker; Buildbot takes the next one'
RANDOM = 'the choice among equal workers does not go through random.choice, which the test replaces'
IN_BOTH = {
    'test_nextBuild_exception': NEXT_BUILD,
    'test_nextBuild_failure': NEXT_BUILD,
    'test_nextBuild_fails': NEXT_BUILD,
    'test_nextWorker_default_0': RANDOM,
    'test_nextWorker_default_1': RANDOM,
}
DIFFERENT = {
    ('locks', LOCKS): {},
    ('locks', LOCKS_ON_A_MASTER): {
        'test_changing_max_lock_count_does_not_break_step_locks_1': RAISED,
    },
    ('chooser', LOCKS_ON_A_MASTER): {},
    ('chooser', DISTRIBUTION): {
        'test_bldr_maybeStartBuild_fails_always': AFRESH,
        'test_bldr_maybeStartBuild_fails_once': AFRESH,
        **IN_BOTH,
    },
    ('distributor', LOCKS_ON_A_MASTER): {},
    ('distributor', DISTRIBUTION): {
        'test_bldr_maybeStartBuild_fails_always': ONWARD,
        'test_bldr_maybeStartBuild_fails_once': ONWARD,
        **IN_BOTH,
    },
}


@functools.cache
def outcomes(what, path):
    """What went wrong, by the test's name."""
    if importlib.util.find_spec('parameterized') is None:
        raise source.MissingError(f"Buildbot's own {path} needs the package parameterized")
    tests = source.file(path)
    folder = Path(tempfile.mkdtemp())
    results = folder / 'results.json'
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', Path(__file__).parent / 'run.py', what, tests, results],
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': f'{ROOT}{os.pathsep}{ROOT / "tests"}'},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert results.exists(), done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads(results.read_text(encoding='utf-8'))
    return {name.rpartition('.')[2]: wrong for name, wrong in found.items()}


@pytest.mark.long
class UpstreamTests(SynchronousTestCase):
    def surprises(self, what, path):
        """Tests that end otherwise than with stock Buildbot, and are not meant to."""
        try:
            stock, ours = outcomes('stock', path), outcomes(what, path)
        except source.MissingError as e:
            if os.environ.get('CI') == 'true':
                raise
            raise SkipTest(str(e)) from e
        self.assertGreater(len(ours), 20)
        self.assertEqual(stock.keys(), ours.keys())
        different = {
            name: wrong for name, wrong in ours.items() if bool(wrong) != bool(stock[name])
        }
        meant = DIFFERENT[what, path]
        found = {name: wrong for name, wrong in different.items() if name not in meant}
        return {**found, **dict.fromkeys(set(meant) - set(different), 'no longer different')}

    def test_the_locks_pass_the_unit_tests_of_locks(self):
        self.assertEqual(self.surprises('locks', LOCKS), {})

    @pytest.mark.slow
    def test_the_locks_pass_the_integration_tests_of_locks(self):
        self.assertEqual(self.surprises('locks', LOCKS_ON_A_MASTER), {})

    @pytest.mark.slow
    def test_the_chooser_passes_the_integration_tests_of_locks(self):
        self.assertEqual(self.surprises('chooser', LOCKS_ON_A_MASTER), {})

    def test_the_distributor_passes_the_integration_tests_of_locks(self):
        self.assertEqual(self.surprises('distributor', LOCKS_ON_A_MASTER), {})

    if os.environ.get(source.CLONE):  # the sdist leaves these out

        def test_the_chooser_passes_the_tests_of_distribution(self):
            self.assertEqual(self.surprises('chooser', DISTRIBUTION), {})

        def test_the_distributor_passes_the_tests_of_distribution(self):
            self.assertEqual(self.surprises('distributor', DISTRIBUTION), {})
