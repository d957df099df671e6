# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.reporter import rules
from buildbot_balancer.reporter.measured import Advice
from buildbot_balancer.reporter.measured import IdleTime
from buildbot_balancer.reporter.measured import LoadShare
from buildbot_balancer.reporter.measured import Power
from buildbot_balancer.reporter.settings.sections import Battery
from buildbot_balancer.reporter.settings.sections import BusyWith
from buildbot_balancer.reporter.settings.sections import Command
from buildbot_balancer.reporter.settings.sections import Disk
from buildbot_balancer.reporter.settings.sections import Idle
from buildbot_balancer.reporter.settings.sections import Load
from buildbot_balancer.reporter.settings.sections import Pressure

OFF, LOW = Mood.OFFLINE, Mood.RELUCTANT


class Findings(SynchronousTestCase):
    def check(self, rule, *cases):
        for value, mood, words in cases:
            self.assertEqual(rule(value), (mood, words), value)

    def test_battery(self):
        self.check(
            rules.battery(Battery(below=50.0)),
            (Power(), None, 'no battery'),
            (Power(plugged=True, percent=10.0), None, 'plugged in, 10 %'),
            (Power(plugged=False, percent=50.0), None, 'on battery, 50 %'),
            (Power(plugged=False, percent=49.9), OFF, 'on battery, 50 %'),
            (Power(plugged=False), OFF, 'on battery'),
        )
        self.check(
            rules.battery(Battery()), (Power(plugged=False, percent=99), OFF, 'on battery, 99 %')
        )

    def test_programs(self):
        self.check(
            rules.busy_with(BusyWith(programs=('a', 'b'))),
            ((), None, 'none of 2 programs runs'),
            (('a',), LOW, 'a runs'),
            (('a', 'b', 'c'), LOW, 'a, b, c run'),
            (('a', 'b', 'c', 'd', 'e'), LOW, 'a, b, c and 2 more run'),
        )

    def test_command(self):
        self.check(
            rules.command(Command(run=('/home/ann/bin/mood', '-x'))),
            (Advice(mood=None), None, 'mood says nothing'),
            (Advice(mood=OFF), OFF, 'mood says offline'),
            (Advice(mood=OFF, reason='a call'), OFF, 'a call'),
        )

    def test_disk(self):
        self.check(
            rules.disk(Disk(least=20e9, path=Path())),
            (21e9, None, '21 GB free'),
            (20e9, OFF, '20 GB free'),
            (21.9e9, OFF, '22 GB free'),
            (22e9, None, '22 GB free'),
            (999.0, OFF, '999 bytes free'),
            (1500.0, OFF, '1.5 kB free'),
            (3.21e15, None, '3210 TB free'),
        )

    def test_idle(self):
        self.check(
            rules.idle(Idle(after=900.0)),
            (IdleTime(seconds=3, what='mouse'), LOW, 'mouse used just now'),
            (IdleTime(seconds=899, what='mouse'), LOW, 'mouse used 14 min ago'),
            (IdleTime(seconds=900, what='mouse'), Mood.EAGER, 'mouse not used for 15 min'),
        )

    def test_load(self):
        self.check(
            rules.load(Load(busy=0.8)),
            (LoadShare(load=0.9, own=0.2), None, 'load 0.70 per CPU by others'),
            (LoadShare(load=0.9), LOW, 'load 0.90 per CPU by all'),
            (LoadShare(load=0.5, own=0.0), LOW, 'load 0.50 per CPU by others'),
            (LoadShare(load=0.4, own=0.0), None, 'load 0.40 per CPU by others'),
            (LoadShare(load=0.1, own=0.3), None, 'load 0.00 per CPU by others'),
        )

    def test_pressure(self):
        section = Pressure(cpu=(40.0, 10.0), io=(30.0, None))
        self.check(
            rules.pressure(section),
            ({'cpu': 39.0, 'io': 2.0}, None, 'waits for cpu 39 %, io 2 %'),
            ({'cpu': 40.0, 'io': 31.0}, LOW, 'waits for cpu 40 %, io 31 %'),
            ({'cpu': 10.0, 'io': 16.0}, LOW, 'waits for io 16 %'),
            ({'cpu': 10.0, 'io': 15.0}, None, 'waits for cpu 10 %, io 15 %'),
        )
