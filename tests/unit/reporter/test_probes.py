# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import math
import os
import platform
import subprocess
import sys
import time
from types import SimpleNamespace

import psutil
from support.reporters import new_folder
from support.reporters import without_module
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from buildbot_balancer.interfaces import IProbe
from buildbot_balancer.reporter.probes import machine
from buildbot_balancer.reporter.probes.load import LoadProbe
from buildbot_balancer.reporter.probes.machine import CpusProbe
from buildbot_balancer.reporter.probes.machine import FactsProbe
from buildbot_balancer.reporter.probes.machine import HostProbe
from buildbot_balancer.reporter.probes.own import WINDOW
from buildbot_balancer.reporter.probes.own import OwnProbe
from buildbot_balancer.reporter.probes.usage import CpuProbe
from buildbot_balancer.reporter.probes.usage import MemoryProbe
from buildbot_balancer.reporter.sampler import default_probes

BURN = (
    'import time\nend = time.process_time() + float({0})\nwhile time.process_time() < end: pass\n'
)


class Every(SynchronousTestCase):
    def test_each_provides_iprobe(self):
        for probe in default_probes(shared_process=False):
            verifyObject(IProbe, probe)


class Load(SynchronousTestCase):
    def test_it_is_the_one_minute_average_per_cpu(self):
        self.patch(psutil, 'getloadavg', lambda: (6.0, 1.0, 2.0))
        self.patch(os, 'cpu_count', lambda: 4)
        self.assertEqual(LoadProbe().sample(0), 1.5)

    def test_of_this_machine_it_is_what_the_system_says(self):
        said = LoadProbe().sample(0)
        self.assertApproximates(said, os.getloadavg()[0] / os.cpu_count(), 0.5)

    def test_without_psutil_the_system_is_asked(self):
        self.patch(os, 'getloadavg', lambda: (3.0, 0.0, 0.0))
        self.patch(os, 'cpu_count', lambda: 2)
        with without_module('psutil'):
            self.assertEqual(LoadProbe().sample(0), 1.5)

    def test_where_nobody_can_tell_it_is_unknown(self):
        def refuse():
            raise OSError('not here')

        with without_module('psutil'):
            self.patch(os, 'getloadavg', refuse)
            self.assertIsNone(LoadProbe().sample(0))
            del os.getloadavg  # as on Windows; the cleanup of patch puts it back
            self.assertIsNone(LoadProbe().sample(0))

    def test_without_a_number_of_cpus_it_is_unknown(self):
        self.patch(os, 'cpu_count', lambda: None)
        self.assertIsNone(LoadProbe().sample(0))


class Usage(SynchronousTestCase):
    def test_the_first_look_at_the_cpus_has_nothing_to_compare_with(self):
        self.patch(psutil, 'cpu_percent', lambda interval: 25.0)
        probe = CpuProbe()
        self.assertIsNone(probe.sample(0))
        self.assertEqual(probe.sample(1), 0.25)

    def test_shares_stay_within_nought_and_one(self):
        probe = CpuProbe()
        probe.sample(0)
        for percent, share in ((101.5, 1.0), (-1.0, 0.0)):
            self.patch(psutil, 'cpu_percent', lambda interval, said=percent: said)
            self.assertEqual(probe.sample(1), share)

    def test_memory_of_this_machine_is_a_share(self):
        said = MemoryProbe().sample(0)
        self.assertTrue(0 < said < 1, said)
        self.assertApproximates(said, psutil.virtual_memory().percent / 100, 0.2)

    def test_without_psutil_both_are_unknown(self):
        with without_module('psutil'):
            for probe in (CpuProbe(), MemoryProbe()):
                probe.sample(0)
                self.assertIsNone(probe.sample(1))


class Machine(SynchronousTestCase):
    def test_the_number_of_cpus_may_be_unknown(self):
        self.assertEqual(CpusProbe().sample(0), os.cpu_count())
        self.patch(os, 'cpu_count', lambda: None)
        self.assertIsNone(CpusProbe().sample(0))
        self.assertNotIn('cpus', FactsProbe().sample(0))

    def test_the_host_is_the_same_in_each_process_and_is_no_name_of_it(self):
        code = (
            'from buildbot_balancer.reporter.probes.machine import HostProbe\n'
            'print(HostProbe().sample(0))'
        )
        environ = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
        other = subprocess.run(
            [sys.executable, '-c', code], env=environ, check=True, capture_output=True, text=True
        )
        host = HostProbe().sample(0)
        self.assertEqual(other.stdout.strip(), host)
        self.assertRegex(host, '^[0-9a-f]{16}$')
        self.assertNotEqual(host, platform.node())

    def test_the_machine_id_itself_does_not_leave_the_machine(self):
        folder = new_folder(self)
        ids = (folder / 'one', folder / 'two')
        for path, text in zip(ids, ('a' * 32, 'b' * 32)):
            path.write_text(text + '\n')
        hosts = []
        for path in ids:
            self.patch(machine, '_MACHINE_IDS', (str(folder / 'gone'), str(path)))
            hosts.append(HostProbe().sample(0))
        self.assertEqual(len(set(hosts)), 2)
        self.assertNotIn('aaaa', hosts[0])

    def test_an_id_that_is_not_set_yet_is_passed_over(self):
        path = new_folder(self) / 'machine-id'
        self.patch(machine, '_MACHINE_IDS', (str(path),))
        self.patch(machine.uuid, 'getnode', lambda: 0x001122334455)
        for text in ('', 'uninitialized\n', '\udcff'):
            path.write_text(text, errors='surrogateescape')
            self.assertEqual(machine._machine(), '001122334455')

    def test_a_random_network_address_is_not_taken_for_the_machines(self):
        self.patch(machine, '_MACHINE_IDS', ())
        self.patch(machine.uuid, 'getnode', lambda: 1 << 40 | 0x1122334455)
        self.assertEqual(machine._machine(), platform.node())

    def test_facts_name_the_system_the_processor_and_the_memory(self):
        facts = FactsProbe().sample(0)
        self.assertEqual(facts['os'], platform.system().lower())
        self.assertEqual(facts['arch'], platform.machine().lower())
        self.assertEqual(facts['cpus'], os.cpu_count())
        self.assertApproximates(facts['ram_gb'], psutil.virtual_memory().total / 2**30, 0.1)

    def test_without_psutil_the_memory_is_unknown(self):
        with without_module('psutil'):
            self.assertNotIn('ram_gb', FactsProbe().sample(0))


class OwnAverage(SynchronousTestCase):
    """The arithmetic, on CPU seconds that the test makes up."""

    def setUp(self):
        self.patch(os, 'cpu_count', lambda: 2)
        self.used = 0.0
        self.probe = OwnProbe()
        self.probe._cpu_seconds = lambda: self.used

    def go(self, now, used):
        self.used += used
        return self.probe.sample(now)

    def test_the_first_sample_knows_nothing_of_what_was_before(self):
        self.assertEqual(self.go(1000, 500), 0)

    def test_steady_work_comes_to_its_share_of_the_cpus(self):
        self.go(0, 0)
        for now in range(10, 610, 10):
            said = self.go(now, 10)  # one CPU of two
        self.assertApproximates(said, 0.5, 0.001)

    def test_it_rises_as_a_load_average_does(self):
        self.go(0, 0)
        for now in range(1, 61):
            said = self.go(now, 2)
        self.assertApproximates(said, 1 - math.exp(-60 / WINDOW), 0.001)

    def test_it_forgets_with_the_window(self):
        self.go(0, 0)
        peak = self.go(60, 120)
        self.assertApproximates(self.go(60 + WINDOW, 0), peak * math.exp(-1), 0.001)

    def test_how_often_it_is_asked_makes_no_difference(self):
        rare, often = OwnProbe(), OwnProbe()
        for probe, step in ((rare, 30), (often, 1)):
            self.used = 0.0
            probe._cpu_seconds = lambda: self.used
            probe.sample(0)
            for now in range(step, 61, step):
                self.used += step
                said = probe.sample(now)
            probe.said = said
        self.assertApproximates(rare.said, often.said, 1e-9)

    def test_a_sum_that_falls_behind_is_no_negative_work(self):
        self.go(0, 100)
        self.assertEqual(self.go(10, -50), 0)

    def test_a_clock_that_steps_back_or_stands_changes_nothing(self):
        self.go(0, 0)
        said = self.go(60, 60)
        self.assertEqual(self.go(60, 5), said)
        self.assertEqual(self.go(10, 5), said)
        self.assertGreater(self.go(20, 20), 0)

    def test_without_a_number_of_cpus_it_is_unknown(self):
        self.patch(os, 'cpu_count', lambda: None)
        self.assertIsNone(self.go(0, 0))


class OwnProcesses(SynchronousTestCase):
    def start(self, code):
        process = subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def burnt_by(self, code, wait):
        probe = OwnProbe()
        before = probe._cpu_seconds()
        process = self.start(code)
        wait(process)
        return probe._cpu_seconds() - before

    def test_what_a_running_child_burns_is_counted(self):
        code = BURN.format(0.3) + 'print(1, flush=True)\ntime.sleep(60)'
        used = self.burnt_by(code, lambda process: process.stdout.readline())
        self.assertTrue(0.25 <= used < 3, used)

    def test_what_a_child_burnt_that_has_ended_is_counted(self):
        used = self.burnt_by(BURN.format(0.3), lambda process: process.wait())
        self.assertTrue(0.25 <= used < 3, used)

    def test_what_a_grandchild_burns_is_counted(self):
        inner = BURN.format(0.3) + 'print(1, flush=True)\ntime.sleep(60)'
        code = (
            'import subprocess, sys\n'
            f'with subprocess.Popen([sys.executable, "-c", {inner!r}]) as p: p.wait()'
        )
        probe = OwnProbe()
        before = probe._cpu_seconds()
        process = self.start(code)
        process.stdout.readline()
        used = probe._cpu_seconds() - before
        grandchildren = psutil.Process(process.pid).children()
        for one in grandchildren:  # the child waits for it
            one.kill()
        process.wait()
        self.assertEqual(len(grandchildren), 1)
        self.assertTrue(0.25 <= used < 3, used)

    def test_what_this_process_itself_burns_is_not(self):
        probe = OwnProbe()
        before = probe._cpu_seconds()
        end = time.process_time() + 0.2
        while time.process_time() < end:
            pass
        self.assertLess(probe._cpu_seconds() - before, 0.1)

    def test_a_child_that_ends_while_it_is_looked_at_is_left_out(self):
        def gone():
            raise psutil.NoSuchProcess(1)

        child = SimpleNamespace(cpu_times=gone)
        self.patch(psutil.Process, 'children', lambda self, recursive: [child])
        self.assertGreaterEqual(OwnProbe()._cpu_seconds(), 0)

    def test_without_psutil_it_is_unknown(self):
        with without_module('psutil'):
            probe = OwnProbe()
            probe.sample(0)
            self.assertIsNone(probe.sample(10))
