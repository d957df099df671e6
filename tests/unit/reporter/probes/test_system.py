# SPDX-License-Identifier: GPL-2.0-or-later
"""The probes of battery, disk, pressure and programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
from support.reporters import new_folder
from support.reporters import without_module
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from buildbot_balancer.interfaces import IProbe
from buildbot_balancer.reporter import says
from buildbot_balancer.reporter.measured import Power
from buildbot_balancer.reporter.probes.battery import BatteryProbe
from buildbot_balancer.reporter.probes.disk import DiskProbe
from buildbot_balancer.reporter.probes.pressure import PressureProbe
from buildbot_balancer.reporter.probes.programs import ProgramsProbe
from buildbot_balancer.reporter.probes.unknown import UnknownError
from buildbot_balancer.reporter.probes.wanted import senses
from buildbot_balancer.reporter.settings.reading import read

FILE = """\
[battery]
[busy_with]
programs = "x"
[command]
run = "x"
every = "7s"
[disk]
least = "1 GB"
[idle]
for = "1m"
[load]
busy = 1
[pressure]
io = 5
"""


class Wanted(SynchronousTestCase):
    def test_each_provides_iprobe_and_has_the_name_of_its_source(self):
        found = list(senses(read(FILE), Path('/b')))
        for sense in found:
            verifyObject(IProbe, sense.probe)
        names = {sense.probe.name: sense.every for sense in found}
        self.assertEqual(set(names), set(says.AUTOMATIC) - {says.SETTINGS, says.WINDOW, says.LOAD})
        self.assertEqual((names['command'], names['disk']), (7, 10))

    def test_what_is_not_asked_for_is_not_measured(self):
        self.assertEqual(list(senses(read(''), Path('/b'))), [])


class Battery(SynchronousTestCase):
    def said(self, found):
        self.patch(psutil, 'sensors_battery', lambda: found)
        return BatteryProbe().sample(0)

    def test_it_is_plugged_in_or_not_or_there_is_none(self):
        for plugged in (True, False):
            found = SimpleNamespace(percent=70.5, power_plugged=plugged)
            self.assertEqual(self.said(found), Power(plugged=plugged, percent=70.5))
        self.assertEqual(self.said(None), Power())

    def test_one_that_does_not_say_is_unknown(self):
        found = SimpleNamespace(percent=70.5, power_plugged=None)
        self.assertRaises(UnknownError, self.said, found)

    def test_without_psutil_or_its_help_it_is_unknown(self):
        with without_module('psutil'):
            self.assertRaises(UnknownError, BatteryProbe().sample, 0)
        self.patch(psutil, 'sensors_battery', None)
        del psutil.sensors_battery  # the cleanup of patch puts it back
        self.assertRaises(UnknownError, BatteryProbe().sample, 0)


class Disk(SynchronousTestCase):
    def test_it_is_the_free_space_of_that_folder(self):
        folder = new_folder(self)
        self.assertApproximates(DiskProbe(folder).sample(0), shutil.disk_usage(folder).free, 1e9)

    def test_a_folder_that_is_not_there_is_unknown(self):
        error = self.assertRaises(UnknownError, DiskProbe(Path('/gone/x')).sample, 0)
        self.assertEqual(str(error), '/gone/x: No such file or directory')


class Pressure(SynchronousTestCase):
    def setUp(self):
        self.folder = new_folder(self)

    def sample(self, *names):
        return PressureProbe(names, self.folder).sample(0)

    def test_it_is_the_share_in_which_some_waited(self):
        (self.folder / 'io').write_text(
            'some avg10=12.34 avg60=5.00 avg300=1.57 total=299327906\n'
            'full avg10=99.00 avg60=0.23 avg300=0.47 total=183019415\n'
        )
        self.assertEqual(self.sample('io'), {'io': 12.34})

    def test_what_is_not_there_or_not_understood_is_unknown(self):
        self.assertIn('has no', str(self.assertRaises(UnknownError, self.sample, 'io')))
        for text in ('', 'full avg10=1.00 avg60=0', 'some avg10=x avg60=1'):
            (self.folder / 'io').write_text(text)
            error = self.assertRaises(UnknownError, self.sample, 'io')
            self.assertIn('is not understood', str(error))
        (self.folder / 'cpu').mkdir()
        self.assertIn('cannot be read', str(self.assertRaises(UnknownError, self.sample, 'cpu')))

    def test_where_this_kernel_has_it_it_is_read(self):
        if not Path('/proc/pressure/cpu').exists():
            self.skipTest('this kernel has no PSI')
        found = PressureProbe(('cpu', 'io', 'memory')).sample(0)
        self.assertEqual(set(found), {'cpu', 'io', 'memory'})
        for percent in found.values():
            self.assertTrue(0 <= percent <= 100)


class Programs(SynchronousTestCase):
    def run_programs(self, *names, ours=()):
        def process(index, name):
            def said():
                if isinstance(name, Exception):
                    raise name
                return name

            def parents():
                return [SimpleNamespace(pid=os.getpid())] if name in ours else []

            return SimpleNamespace(pid=10**7 + index, name=said, parents=parents)

        found = [process(index, name) for index, name in enumerate(names)]
        self.patch(psutil, 'process_iter', lambda: found)

    def sample(self, *names):
        return ProgramsProbe(names).sample(0)

    def test_names_are_found_whatever_their_capitals_and_each_once(self):
        self.run_programs('bash', 'OBS.exe', 'steam', 'steam', 'obs-studio')
        self.assertEqual(self.sample('obs', 'STEAM'), ('OBS.exe', 'steam'))
        self.assertEqual(self.sample('obs*'), ('OBS.exe', 'obs-studio'))
        self.assertEqual(self.sample('bas'), ())

    def test_what_builds_have_started_does_not_count(self):
        self.run_programs('gcc', 'make', ours=('gcc',))
        self.assertEqual(self.sample('gcc', 'make'), ('make',))

    def test_a_real_child_is_ours_and_what_is_not_is_not(self):
        child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        self.addCleanup(child.stdin.close)
        processes = [psutil.Process(child.pid), psutil.Process()]
        self.patch(psutil, 'process_iter', lambda: processes)
        self.assertEqual(self.sample('*'), ())
        self.patch(os, 'getpid', lambda: 10**9)
        self.assertEqual(self.sample('*'), (processes[0].name(),))

    def test_one_that_has_gone_meanwhile_is_passed_over(self):
        self.run_programs(psutil.NoSuchProcess(1), OSError(5, 'x'), 'obs')
        self.assertEqual(self.sample('obs'), ('obs',))

    def test_without_psutil_it_is_unknown(self):
        with without_module('psutil'):
            self.assertRaises(UnknownError, self.sample, 'obs')
