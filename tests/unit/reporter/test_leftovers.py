# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
from support.reporters import new_folder
from support.reporters import without_module
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.reporter import leftovers

SLEEP = (sys.executable, '-c', 'print(1, flush=True); import time; time.sleep(60)')


class Finding(SynchronousTestCase):
    def setUp(self):
        self.basedir = new_folder(self) / 'worker'
        self.build = self.basedir / 'builder' / 'build'
        self.build.mkdir(parents=True)

    def start(self, folder, command=SLEEP, **more):
        folder.mkdir(parents=True, exist_ok=True)
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, **more)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        process.stdout.readline()
        return process

    def start_session(self, folder, **more):
        return self.start(folder, start_new_session=True, **more)

    def test_an_empty_machine_has_none(self):
        self.assertEqual(leftovers.find(self.basedir), [])

    def test_a_process_in_a_builders_folder_is_found_until_it_ends(self):
        process = self.start_session(self.build)
        self.assertEqual(leftovers.find(self.basedir), [process.pid])
        process.kill()
        process.wait()
        self.assertEqual(leftovers.find(self.basedir), [])

    def test_every_one_of_them_is_found(self):
        pids = {self.start_session(self.build).pid, self.start_session(self.build.parent).pid}
        self.assertEqual(set(leftovers.find(self.basedir)), pids)

    def test_a_shell_in_the_basedir_itself_is_not(self):
        self.start_session(self.basedir)
        self.assertEqual(leftovers.find(self.basedir), [])

    def test_one_in_info_is_not(self):
        self.start_session(self.basedir / 'info')
        self.start_session(self.basedir / 'info' / 'deeper')
        self.assertEqual(leftovers.find(self.basedir), [])

    def test_a_builder_whose_name_only_begins_with_info_is_no_exception(self):
        process = self.start_session(self.basedir / 'information')
        self.assertEqual(leftovers.find(self.basedir), [process.pid])

    def test_a_folder_beside_that_begins_alike_is_not_below(self):
        self.start_session(self.basedir.parent / 'worker-2' / 'builder')
        self.assertEqual(leftovers.find(self.basedir), [])

    def test_a_zombie_is_not(self):
        process = self.start_session(self.build)
        process.kill()
        deadline = time.monotonic() + 10
        while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
            self.assertLess(time.monotonic(), deadline)
        self.assertEqual(leftovers.find(self.basedir), [])

    def test_the_basedir_may_be_a_link(self):
        link = self.basedir.parent / 'link'
        link.symlink_to(self.basedir)
        process = self.start_session(link / 'builder')
        self.assertEqual(leftovers.find(link), [process.pid])
        self.assertEqual(leftovers.find(self.basedir), [process.pid])

    def start_in_terminal(self):
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        code = f'import os\nos.setsid()\nos.open({os.ttyname(slave)!r}, os.O_RDWR)\n'
        process = self.start(self.build, (sys.executable, '-c', code + SLEEP[-1]))
        os.close(slave)
        return process

    def test_what_a_person_started_in_a_terminal_is_not(self):
        psutil._psposix.get_terminal_map.cache_clear()  # as in a process that has just started
        self.start_in_terminal()
        self.assertEqual(leftovers.find(self.basedir), [])

    def test_a_terminal_that_was_opened_after_an_earlier_search_is_a_persons_too(self):
        psutil._psposix.get_terminal_map.cache_clear()
        first = self.start_in_terminal()
        self.assertEqual(leftovers.find(self.basedir), [])
        second = self.start_in_terminal()
        self.assertNotEqual(first.pid, second.pid)
        self.assertEqual(leftovers.find(self.basedir), [])

    def test_a_relative_basedir_is_meant_from_where_the_worker_runs(self):
        os.chdir(self.basedir.parent)  # the next test has a folder of its own again
        process = self.start_session(self.build)
        self.assertEqual(leftovers.find(Path('worker')), [process.pid])

    def test_without_psutil_nothing_is_found(self):
        self.start_session(self.build)
        with without_module('psutil'):
            self.assertEqual(leftovers.find(self.basedir), [])

    def test_a_process_that_may_not_be_looked_at_is_passed_over(self):
        process = self.start_session(self.build)
        stock = psutil.Process.cwd

        def refuse(one):
            if one.pid != process.pid:
                raise psutil.AccessDenied(one.pid)
            return stock(one)

        self.patch(psutil.Process, 'cwd', refuse)
        self.assertEqual(leftovers.find(self.basedir), [process.pid])

    def test_processes_that_come_and_go_meanwhile_do_no_harm(self):
        process = self.start_session(self.build)
        stop = threading.Event()

        def churn():
            while not stop.is_set():
                subprocess.run(['true'], check=True)

        thread = threading.Thread(target=churn)
        thread.start()
        try:
            for _ in range(20):
                self.assertIn(process.pid, leftovers.find(self.basedir))
        finally:
            stop.set()
            thread.join()
