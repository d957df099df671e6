# SPDX-License-Identifier: GPL-2.0-or-later
"""What ``availability.toml`` makes a real reporter ask of its machine, and what follows."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import psutil
from support.availability_files import GB
from support.availability_files import Case
from support.reporters import new_folder

from buildbot_balancer.reporter.probes import wanted
from buildbot_balancer.reporter.probes.pressure import PressureProbe


class BatterySection(Case):
    TEXT = """\
        [battery]
        mood = "reluctant"
        below = "50 %"
        hold = "1m"
        unknown = "going-on-holiday"
        """

    def charge(self, percent, plugged):
        found = None if percent is None else SimpleNamespace(percent=percent, power_plugged=plugged)
        self.patch(psutil, 'sensors_battery', lambda: found)

    def test_on_battery_and_below_the_limit_it_is_not_eager(self):
        self.charge(80, False)
        self.start(self.TEXT)
        self.assertEqual(self.mood, 'eager')
        self.charge(49, False)
        self.go(10)
        self.assertEqual((self.mood, self.words('battery')), ('reluctant', 'on battery, 49 %'))
        self.charge(49, True)
        self.go(60)
        self.assertEqual(self.mood, 'reluctant')
        self.go(10)
        self.assertEqual((self.mood, self.words('battery')), ('eager', 'plugged in, 49 %'))

    def test_a_machine_without_a_battery_goes_on(self):
        self.charge(None, None)
        self.start(self.TEXT)
        self.assertEqual((self.mood, self.words('battery')), ('eager', 'no battery'))

    def test_a_battery_that_does_not_say_has_a_mood_of_its_own(self):
        self.charge(49, None)
        self.start(self.TEXT)
        self.assertEqual(self.mood, 'going-on-holiday')


class PressureSection(Case):
    TEXT = """\
        [pressure]
        cpu = {busy = 40, free = 10}
        io = 30
        memory = "10 %"
        mood = "offline"
        hold = "20s"
        unknown = "reluctant"
        """

    def setUp(self):
        super().setUp()
        self.folder = new_folder(self)
        self.patch(wanted, 'PressureProbe', lambda resources: PressureProbe(resources, self.folder))

    def wait_for(self, **percents):
        for name, percent in {'cpu': 0, 'io': 0, 'memory': 0, **percents}.items():
            line = f'some avg10={percent:.2f} avg60=0.00 avg300=0.00 total=1\n'
            (self.folder / name).write_text(line)

    def test_each_resource_has_its_limit(self):
        self.wait_for()
        self.start(self.TEXT)
        self.assertEqual(self.mood, 'eager')
        for name, busy, free in (('cpu', 40, 10), ('io', 30, 15), ('memory', 10, 5)):
            self.wait_for(**{name: busy})
            self.go(10)
            self.assertEqual((self.mood, name), ('offline', name))
            self.assertEqual(self.words('pressure'), f'waits for {name} {busy} %')
            self.wait_for(**{name: free + 1})
            self.go(60)
            self.assertEqual((self.mood, name), ('offline', name))
            self.wait_for(**{name: free})
            self.go(40)
            self.assertEqual((self.mood, name), ('eager', name))

    def test_a_kernel_that_measures_none_has_a_mood_of_its_own(self):
        self.start(self.TEXT)
        self.assertEqual(self.mood, 'reluctant')
        self.assertIn('this system has no', self.words('pressure'))


class BusyWithSection(Case):
    TEXT = """\
        [busy_with]
        programs = ["OBS", "steam*"]
        mood = "going-on-holiday"
        hold = "30s"
        unknown = "reluctant"
        """

    def run_programs(self, *names):
        def process(index, name):
            return SimpleNamespace(pid=10**7 + index, name=lambda: name, parents=list)

        found = [process(index, name) for index, name in enumerate(names)]
        self.patch(psutil, 'process_iter', lambda: found)

    def test_while_one_of_them_runs_it_has_that_mood(self):
        self.run_programs('bash')
        self.start(self.TEXT)
        self.assertEqual(self.mood, 'eager')
        self.run_programs('bash', 'obs.exe', 'SteamWebHelper')
        self.go(10)
        self.assertEqual(self.mood, 'going-on-holiday')
        self.assertEqual(self.words('busy-with'), 'SteamWebHelper, obs.exe run')
        self.run_programs('bash')
        self.go(30)
        self.assertEqual(self.mood, 'going-on-holiday')
        self.go(15)
        self.assertEqual(self.mood, 'eager')

    def test_where_programs_cannot_be_seen_it_has_a_mood_of_its_own(self):
        def refuse():
            raise OSError('no /proc')

        self.patch(psutil, 'process_iter', refuse)
        self.start(self.TEXT)
        self.assertEqual(self.mood, 'reluctant')


class DiskSection(Case):
    TEXT = """\
        [disk]
        least = "20 GB"
        enough = "30 GB"
        path = "/builds"
        mood = "offline"
        hold = "30s"
        unknown = "reluctant"
        """

    def setUp(self):
        super().setUp()
        self.free = {}
        self.patch(shutil, 'disk_usage', lambda path: SimpleNamespace(free=self.free[str(path)]))

    def test_too_little_space_where_builds_go_makes_it_offline_until_there_is_enough(self):
        self.free = {'/builds': 25 * GB}
        self.start(self.TEXT)
        self.assertEqual(self.mood, 'eager')
        self.free = {'/builds': 19 * GB}
        self.go(10)
        self.assertEqual((self.mood, self.words('disk')), ('offline', '19 GB free'))
        self.free = {'/builds': 29 * GB}
        self.go(120)
        self.assertEqual(self.mood, 'offline')
        self.free = {'/builds': 30 * GB}
        self.go(45)
        self.assertEqual(self.mood, 'eager')

    def test_without_a_path_it_is_the_workers_folder(self):
        self.free = {str(self.basedir): 1 * GB}
        self.start('[disk]\nleast = "2 GB"\n')
        self.assertEqual(self.mood, 'offline')

    def test_a_disk_that_cannot_be_read_has_a_mood_of_its_own(self):
        def refuse(path):
            raise OSError(5, 'Input/output error')

        self.patch(shutil, 'disk_usage', refuse)
        self.start(self.TEXT)
        self.assertEqual(self.mood, 'reluctant')
        self.assertEqual(self.words('disk'), 'unknown: /builds: Input/output error')


class CommandSection(Case):
    def setUp(self):
        super().setUp()
        self.answer = self.basedir / 'answer'
        self.program = self.basedir / 'program'
        self.program.write_text(f'#!/bin/sh\necho >> "{self.basedir}/runs"\n. "{self.answer}"\n')
        self.program.chmod(0o755)
        self.text = """\
            [command]
            run = "PROGRAM"
            every = "2m"
            timeout = "1s"
            hold = "3m"
            unknown = "offline"
            """.replace('PROGRAM', str(self.program))

    def runs(self):
        return len((self.basedir / 'runs').read_text().splitlines())

    def test_what_it_prints_is_the_mood(self):
        self.answer.write_text('echo reluctant: a call')
        self.start(self.text)
        self.assertEqual((self.mood, self.words('command')), ('reluctant', 'a call'))
        self.answer.write_text('echo auto')
        self.go(118)
        self.assertEqual(self.runs(), 1)
        self.go(2)
        self.assertEqual((self.runs(), self.mood), (2, 'reluctant'))
        self.go(181)
        self.assertEqual(self.mood, 'eager')

    def test_one_that_hangs_is_ended_and_its_mood_is_unknown(self):
        self.answer.write_text('exec sleep 60')
        self.start(self.text)
        self.assertEqual(self.mood, 'offline')
        self.assertIn('did not end within 1 s', self.words('command'))

    def test_one_that_fails_keeps_the_last_good_answer_for_a_while(self):
        self.answer.write_text('echo reluctant')
        self.start(self.text)
        self.answer.write_text('exit 3')
        self.go(350)
        self.assertEqual(self.mood, 'reluctant')
        self.go(20)
        self.assertEqual(self.mood, 'offline')
        self.assertIn('ended with exit code 3', self.words('command'))
