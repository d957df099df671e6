# SPDX-License-Identifier: GPL-2.0-or-later
"""``make demo``: what it prints, what it leaves behind, and that it would notice a lie."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import attrs
import psutil
import pytest
from twisted.trial.unittest import SynchronousTestCase

from demo.decision import Decision
from demo.decision import parse
from demo.facts import Drained
from demo.facts import Facts
from demo.facts import Since
from demo.processes import MSGPACK
from demo.processes import PB
from demo.promise import PROMISES
from demo.scene import Build
from demo.scene import RequestRow
from demo.scene import Scene

ROOT = Path(__file__).parents[2]
LONGEST = 240  # seconds


class Demo:
    """The demo in a process of its own, with a folder for temporary files of its own."""

    def __init__(self, case: SynchronousTestCase, **environment: str) -> None:
        self._room = tempfile.TemporaryDirectory(prefix='demo-test-')
        case.addCleanup(self._room.cleanup)
        self.process = subprocess.Popen(
            [sys.executable, '-m', 'demo'],
            cwd=ROOT,
            env={**os.environ, 'DEMO_EXIT': '1', 'TMPDIR': self._room.name, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        case.addCleanup(self._end)
        self.said = ''

    def _end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        for process in self.processes():
            process.kill()

    def code(self) -> int:
        self.said += self.process.communicate(timeout=LONGEST)[0]
        return self.process.returncode

    def wait_for(self, text: str) -> None:
        for line in self.process.stdout:
            self.said += line
            if text in line:
                return
        raise AssertionError(f'it never said "{text}":\n{self.said}')

    def processes(self) -> list[psutil.Process]:
        """All that it has started and that still run: they inherit its environment."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get('TMPDIR') == self._room.name:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def left(self) -> list[Any]:
        return [*self.processes(), *Path(self._room.name).iterdir()]


@pytest.mark.long
class DemoToItsEnd(SynchronousTestCase):
    def test_it_keeps_its_promises_and_leaves_nothing_behind(self) -> None:
        demo = Demo(self)
        assert demo.code() == 0, demo.said
        assert demo.left() == [], demo.left()
        assert re.search(r'http://127\.0\.0\.1:\d+/', demo.said), demo.said
        assert re.search(r'ben is reluctant until [\d: -]+ \(in a video call\)', demo.said)
        assert re.search(r'cleo is going-on-holiday until [\d: -]+ \(skiing\)', demo.said)
        assert 'dan: drain --wait has returned 0: free.' in demo.said, demo.said
        assert 'reluctant, but nobody else could' in demo.said, demo.said
        rows = re.findall(r'^ +(\d+) +success +(\w+) +\d+ s +\S', demo.said, re.MULTILINE)
        assert len(rows) == 13, demo.said
        assert '0 of 4 workers: 4 offline' in demo.said, demo.said
        assert {worker for _, worker in rows} == {'anna', 'ben', 'cleo', 'dan'}
        assert len(re.findall(r'^ *kept ', demo.said, re.MULTILINE)) == len(PROMISES)
        assert '\x1b' not in demo.said, 'no colours and no live display without a terminal'


class DemoStopped(SynchronousTestCase):
    def check(self, text: str, number: int, delay: float = 0) -> None:
        demo = Demo(self)
        demo.wait_for(text)
        time.sleep(delay)
        demo.process.send_signal(number)
        assert demo.code() == 128 + number, demo.said
        assert demo.left() == [], demo.left()
        assert 'Traceback' not in demo.said, demo.said

    def test_ctrl_c_while_builds_run(self) -> None:
        self.check('Request 1 runs', signal.SIGINT)

    @pytest.mark.slow
    def test_ctrl_c_while_a_drain_waits(self) -> None:
        self.check('drain dan --wait', signal.SIGINT, 0.3)

    def test_sigterm_while_masters_and_workers_are_created(self) -> None:
        self.check('Starting', signal.SIGTERM, 0.3)

    @pytest.mark.slow
    def test_ctrl_c_while_workers_connect(self) -> None:
        self.check('web UI', signal.SIGINT, 0.5)

    @pytest.mark.slow
    def test_ctrl_c_when_all_is_done_is_its_normal_end(self) -> None:
        demo = Demo(self, DEMO_EXIT='')
        demo.wait_for('stays up')
        demo.process.send_signal(signal.SIGINT)
        assert demo.code() == 0, demo.said
        assert demo.left() == [], demo.left()


class DemoWithoutPrograms(SynchronousTestCase):
    def test_missing_programs_are_named_in_one_sentence(self) -> None:
        demo = Demo(self, PATH=os.devnull)
        assert demo.code() == 1
        assert demo.said == 'demo: The builds need git and make, not found on the PATH.\n'
        assert demo.left() == []


def build(request: int, worker: str) -> Build:
    return Build(request=request, worker=worker, complete=True)


BUSY = 'anna runs a build of demo'
AWAY = 'cleo is going-on-holiday ("skiing", until 12:00); dan is offline ("moving house")'
GOOD = Facts(
    requests=(1, 2, 3, 4, 5, 6),
    quiet=5,
    decisions=(
        Decision(1, 'cleo'),
        Decision(2, 'dan'),
        Decision(3, 'anna'),  # from here on ben is reluctant, cleo is away, dan has been drained
        Decision(4, 'ben', '71', f'{BUSY}; {AWAY}'),
        Decision(5, 'anna', '90', AWAY),
        Decision(6, 'dan', '90', f'{BUSY}; cleo is offline'),
    ),
    scene=Scene(
        requests=tuple(RequestRow(id=number, state='success') for number in range(1, 7)),
        builds=tuple(map(build, range(1, 7), ('cleo', 'dan', 'anna', 'ben', 'anna', 'dan'))),
    ),
    reluctant=Since('ben', 3),
    holiday=Since('cleo', 3),
    drained=Drained(
        worker='dan',
        decisions=3,
        decisions_at_resume=5,
        running=(),
        built=frozenset({2}),
        built_at_resume=frozenset({2}),
    ),
    protocols={'anna': PB, 'ben': MSGPACK, 'cleo': PB, 'dan': MSGPACK},
    page=True,
    why='0 of 4 workers: cleo, board meeting, gone home, sold the house',
)


class PromisesOfTheDemo(SynchronousTestCase):
    def broken(self, **changed: Any) -> str:
        facts = attrs.evolve(GOOD, **changed)
        return ' '.join(sentence for one in PROMISES for sentence in one.broken_by(facts))

    def decided(self, number: int, decision: Decision) -> str:
        decisions = [*GOOD.decisions]
        decisions[number] = decision
        builds = [*GOOD.scene.builds]
        builds[number] = build(decision.request, decision.worker)
        return self.broken(
            decisions=tuple(decisions), scene=attrs.evolve(GOOD.scene, builds=tuple(builds))
        )

    def test_a_good_demo_breaks_none(self) -> None:
        self.assertEqual(self.broken(), '')

    def test_a_request_that_failed(self) -> None:
        rows = (RequestRow(id=1, state='failure'), *GOOD.scene.requests[1:])
        said = self.broken(scene=Scene((), rows, GOOD.scene.builds))
        self.assertEqual(said, 'Request 1 did not succeed: failure.')

    def test_a_start_on_holiday(self) -> None:
        self.assertIn('Request 5 started on cleo', self.decided(4, Decision(5, 'cleo')))

    def test_a_start_on_a_drained_machine(self) -> None:
        said = self.decided(4, Decision(5, 'dan', '9', AWAY))
        self.assertIn('Request 5 started on dan after drain', said)

    def test_a_build_that_a_drain_overlooked(self) -> None:
        said = self.broken(drained=attrs.evolve(GOOD.drained, running=(2,)))
        self.assertIn('Request 2 still ran on dan', said)

    def test_a_reluctant_machine_beside_a_free_eager_one(self) -> None:
        said = self.decided(3, Decision(4, 'ben', '71', AWAY))
        self.assertIn('ben, which was reluctant, although anna could have taken it', said)

    def test_a_reluctant_machine_in_a_quiet_moment(self) -> None:
        said = self.decided(4, Decision(5, 'ben', '71', f'{BUSY}; {AWAY}'))
        self.assertIn('in a quiet moment', said)

    def test_a_build_that_nobody_decided(self) -> None:
        builds = (*GOOD.scene.builds, build(3, 'ben'))
        said = self.broken(scene=Scene((), GOOD.scene.requests, builds))
        self.assertIn('Request 3 ran on ben, and no decision says so', said)

    def test_a_why_that_leaves_somebody_out(self) -> None:
        said = self.broken(why='0 of 4 workers: cleo, board meeting, gone home')
        self.assertIn('"why" did not name "sold the house"', said)

    def test_a_protocol_that_nothing_used_and_a_missing_page(self) -> None:
        said = self.broken(protocols={**GOOD.protocols, 'eve': 'null'}, page=False)
        self.assertIn('Nothing was built over null.', said)
        self.assertIn('web UI', said)


class DecisionsOfTheDemo(SynchronousTestCase):
    LINE = '2026-11-21 22:00:00+0000 [-] buildbot-balancer: request 7 of demo '

    def test_why_a_reluctant_machine_was_taken(self) -> None:
        said = f'starts on ben (score 71: EagerFirst 50, LeastLoaded 80); {BUSY}; {AWAY}'
        found = parse(self.LINE + said)
        assert found is not None
        self.assertEqual((found.request, found.worker, found.score), (7, 'ben', '71'))
        self.assertIsNone(parse(f'{self.LINE}waits: 0 of 4 workers: 4 busy'))
        self.assertEqual(
            found.why(GOOD.protocols, ['ben']),
            'reluctant, but nobody else could (busy: anna; going-on-holiday: cleo; offline: dan)',
        )

    def test_why_an_eager_machine_was_taken(self) -> None:
        found = parse(f'{self.LINE}starts on anna (score 88: EagerFirst 100)')
        self.assertEqual(
            found and found.why(GOOD.protocols, ['ben']),
            'score 88, none better among cleo and dan; eager, so ben (reluctant) was spared',
        )
