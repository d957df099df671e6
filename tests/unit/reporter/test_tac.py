# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import ast
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.errors import TacError
from buildbot_balancer.reporter import tac

HEAD = """\
import os
from buildbot_worker.bot import Worker
from twisted.application import service
basedir = '.'
application = service.Application('buildbot-worker')
"""
CALL = "s = Worker('localhost', 1, 'w', 'secret', basedir, 600)\n"
PARENT = 's.setServiceParent(application)\n'
STOCK = HEAD + CALL + PARENT
MASTER = """\
from twisted.application import service
from buildbot.master import BuildMaster
application = service.Application('buildmaster')
m = BuildMaster('.', 'master.cfg', None)
m.setServiceParent(application)
"""
# "buildbot-worker start --nodaemon" with the package taken away
BLOCKED = """\
import sys
sys.modules['buildbot_balancer'] = None
sys.argv = ['buildbot-worker', 'start', '--nodaemon', '.']
from buildbot_worker.scripts.runner import run
run()
"""


def stock_template(**changes):
    from buildbot_worker.scripts.create_worker import _make_tac

    options = {
        'basedir': '/somewhere/w',
        'relocatable': False,
        'no-logrotate': False,
        'connection-string': None,
        'proxy-connection-string': None,
        'log-size': 10000000,
        'log-count': '10',
        'host': 'localhost',
        'port': 9989,
        'name': 'w',
        'passwd': 'secret',
        'keepalive': 600,
        'umask': None,
        'maxdelay': 300,
        'numcpus': None,
        'allow-shutdown': None,
        'maxretries': None,
        'use-tls': False,
        'delete-leftover-dirs': False,
        'protocol': 'pb',
    }
    return _make_tac({**options, **changes})


def new_folder(case):
    path = Path(tempfile.mkdtemp())
    case.addCleanup(shutil.rmtree, path, ignore_errors=True)
    return path


class Adding(SynchronousTestCase):
    def refused(self, text):
        with self.assertRaises(TacError) as caught:
            tac.add(text)
        said = str(caught.exception)
        self.assertNotIn('\n', said)
        return said

    def test_each_form_of_the_stock_template_is_attached_after_its_last_line(self):
        for changes in (
            {},
            {'relocatable': True},
            {'no-logrotate': True},
            {'connection-string': 'tcp:host:1'},
            {'protocol': 'msgpack'},
        ):
            text = stock_template(**changes)
            new = tac.add(text)
            self.assertTrue(new.startswith(text), changes)
            self.assertIn('\n    attach(s)\n', new)
            self.assertTrue(tac.is_attached(new))
            self.assertTrue(tac.is_worker(new))

    def test_to_add_twice_is_to_add_once(self):
        once = tac.add(STOCK)
        self.assertEqual(tac.add(once), once)

    def test_the_name_that_the_owner_gave_the_worker_is_used(self):
        text = STOCK.replace('s = ', 'my_worker = ').replace('s.set', 'my_worker.set')
        self.assertIn('    attach(my_worker)\n', tac.add(text))

    def test_other_ways_to_import_the_worker_are_understood(self):
        for line, call in (
            ('from buildbot_worker.bot import Worker as W', 'W'),
            ('from buildbot_worker import bot', 'bot.Worker'),
            ('import buildbot_worker.bot', 'buildbot_worker.bot.Worker'),
            ('import buildbot_worker.bot as b', 'b.Worker'),
            ('from buildbot_worker.pb import Worker', 'Worker'),
        ):
            text = f'{line}\ns = {call}("h", 1)\ns.setServiceParent(application)\n'
            self.assertIn('attach(s)', tac.add(text), line)

    def test_a_call_that_the_owner_wrote_counts(self):
        for lines in (
            'from buildbot_balancer.reporter import attach\nattach(s)\n',
            'from buildbot_balancer.reporter import attach as a\na(s, interval=5)\n',
            'from buildbot_balancer import reporter\nreporter.attach(s)\n',
            'import buildbot_balancer.reporter\nbuildbot_balancer.reporter.attach(s)\n',
            'from buildbot_balancer.reporter.attach import attach\nattach(s)\n',
        ):
            text = STOCK + lines
            self.assertTrue(tac.is_attached(text), lines)
            self.assertEqual(tac.add(text), text)
            self.assertEqual(tac.remove(text), text)

    def test_an_import_or_a_comment_alone_does_not_count(self):
        for lines in ('# attach(s)\n', 'from buildbot_balancer.reporter import attach\n'):
            self.assertFalse(tac.is_attached(STOCK + lines), lines)

    def test_what_follows_stays_after_our_lines(self):
        new = tac.add(STOCK + 'print("later")\n')
        self.assertLess(new.index('attach(s)'), new.index('print'))

    def test_several_statements_on_the_line_are_not_torn(self):
        text = HEAD + CALL + 's.setServiceParent(application); x = (\n    1,\n)\ny = 2\n'
        new = tac.add(text)
        self.assertLess(new.index('    1,\n)\n'), new.index(tac.BEGIN))
        self.assertLess(new.index(tac.BEGIN), new.index('y = 2'))

    def test_a_call_over_several_lines_is_not_torn(self):
        text = HEAD + CALL + 's.setServiceParent(\n    application\n)\n'
        self.assertTrue(tac.add(text).startswith(text))

    def test_form_feeds_and_odd_separators_do_not_shift_the_lines(self):
        text = HEAD + "note = 'a\u2028b\x1cc\x0c'\n\x0c\n" + CALL + PARENT + 'z = 1\n'
        self.assertIn(PARENT + tac.BEGIN, tac.add(text))

    def test_windows_line_ends_stay(self):
        new = tac.add(STOCK.replace('\n', '\r\n'))
        self.assertEqual(new.count('\n'), new.count('\r\n'))

    def test_two_workers_are_refused(self):
        second = CALL.replace('s =', 't =') + PARENT.replace('s.', 't.')
        self.assertIn('makes 2 workers', self.refused(STOCK + second))

    def test_no_worker_is_refused(self):
        self.assertIn('no Worker', self.refused('x = 1\n'))
        self.assertIn('no Worker', self.refused(''))

    def test_a_worker_of_another_package_is_refused(self):
        self.refused(STOCK.replace('buildbot_worker.bot', 'somewhere.bot'))

    def test_a_master_is_refused(self):
        self.assertIn('master', self.refused(MASTER))

    def test_broken_python_is_refused_with_its_line(self):
        self.assertIn('line 8', self.refused(STOCK + 'if\n'))
        self.refused(STOCK + '\0')

    def test_a_worker_without_a_name_is_refused(self):
        for call in (
            "Worker('h', 1).setServiceParent(application)\n",
            "s = t = Worker('h', 1)\ns.setServiceParent(application)\n",
            "s, t = Worker('h', 1), 2\ns.setServiceParent(application)\n",
            "if True:\n    s = Worker('h', 1)\ns.setServiceParent(application)\n",
            "for i in range(2):\n    Worker('h', i).setServiceParent(application)\n",
        ):
            self.refused(HEAD + call)

    def test_a_name_that_is_used_twice_is_refused(self):
        self.assertIn('"s"', self.refused(HEAD + CALL + 's = None\n' + PARENT))
        self.assertIn('"s"', self.refused(STOCK + 'for s in []:\n    pass\n'))

    def test_a_worker_with_no_parent_or_two_is_refused(self):
        self.assertIn('setServiceParent', self.refused(HEAD + CALL))
        self.assertIn('setServiceParent', self.refused(STOCK + PARENT))
        self.refused(HEAD + CALL + 'if True:\n    ' + PARENT)

    def test_a_name_of_ours_with_another_meaning_is_refused(self):
        self.assertIn('"attach"', self.refused('from gdb import attach\n' + STOCK))


class Removing(SynchronousTestCase):
    def test_the_file_is_as_it_was(self):
        for text in (
            STOCK,
            STOCK.rstrip('\n'),
            STOCK.replace('\n', '\r\n'),
            STOCK.replace('\n', '\r\n').rstrip('\r\n'),
            STOCK + '\n\n# the end',
            stock_template(),
        ):
            new = tac.add(text)
            self.assertNotEqual(new, text)
            ast.parse(new)
            self.assertEqual(tac.remove(new), text)

    def test_a_file_without_our_lines_stays(self):
        for text in (STOCK, MASTER, '', 'if'):
            self.assertEqual(tac.remove(text), text)

    def test_what_the_owner_changed_around_our_lines_stays(self):
        text = tac.add(STOCK).replace('secret', 'other') + 'x = 1\n'
        self.assertEqual(tac.remove(text), STOCK.replace('secret', 'other') + 'x = 1\n')

    def test_half_of_our_lines_is_refused(self):
        new = tac.add(STOCK)
        end = f'{tac.END}\n'
        for text in (new.replace(end, ''), STOCK + end, new + new, STOCK + end + new):
            with self.assertRaises(TacError):
                tac.remove(text)

    @given(
        st.lists(
            st.sampled_from(['', '# x', 'x = 1', 'y = """\n\n"""', 'if 1:\n    z = 2', '\x0c'])
        ),
        st.lists(st.sampled_from(['', '# x', 'x = 1', 'y = [\n]', 'def f():\n    pass'])),
        st.sampled_from(['\n', '\r\n', '\r']),
        st.booleans(),
    )
    def test_to_add_and_to_remove_gives_the_very_text(self, above, below, end, closed):
        text = '\n'.join([*above, HEAD.strip(), CALL.strip(), PARENT.strip(), *below])
        text = (text + '\n' * closed).replace('\n', end)
        new = tac.add(text)
        ast.parse(new)
        self.assertEqual(tac.remove(new), text)


class Whose(SynchronousTestCase):
    def test_a_worker_and_a_master_are_told_apart(self):
        self.assertTrue(tac.is_worker(stock_template()))
        self.assertFalse(tac.is_master(stock_template()))
        self.assertTrue(tac.is_master(MASTER))
        self.assertFalse(tac.is_worker(MASTER))
        self.assertFalse(tac.is_worker(''))


class WithoutThePackage(SynchronousTestCase):
    def start(self):
        basedir = new_folder(self)
        text = stock_template(basedir=str(basedir), port=1)
        (basedir / tac.FILE).write_text(tac.add(text))
        environ = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
        process = subprocess.Popen(
            [sys.executable, '-c', BLOCKED],
            cwd=basedir,
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return basedir / 'twistd.log', process

    def log_with(self, path, wanted, process):
        for _ in range(300):
            text = path.read_text() if path.exists() else ''
            if wanted in text:
                return text
            self.assertIsNone(process.poll(), text)
            time.sleep(0.1)
        self.fail(text)

    def test_the_worker_starts_as_a_stock_one_and_says_why_it_has_no_reporter(self):
        path, process = self.start()
        text = self.log_with(path, 'Scheduling retry', process)
        said = [line for line in text.splitlines() if 'buildbot-balancer' in line]
        self.assertEqual(len(said), 1, text)
        self.assertIn('buildbot-balancer cannot be imported (', said[0])
        self.assertIn('): this worker builds without a reporter', said[0])
        self.assertNotIn('Traceback', text)
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        self.assertFalse((path.parent / 'availability.lock').exists())
