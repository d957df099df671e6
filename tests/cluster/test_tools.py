# SPDX-License-Identifier: GPL-2.0-or-later
"""Crossbar.io and PostgreSQL for the demo and the tests: found, or missed in one sentence."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from demo.cluster import tools


class Tools(SynchronousTestCase):
    def setUp(self) -> None:
        self.cache = Path.cwd() / 'cache'
        environment = tools.os.environ
        self.patch(tools.os, 'environ', {**environment, 'XDG_CACHE_HOME': str(self.cache)})
        self.patch(tools.sys, 'version_info', (3, 12, 1))

    def install(self) -> Path:
        crossbar = tools.folder() / 'bin' / 'crossbar'
        crossbar.parent.mkdir(parents=True)
        crossbar.touch()
        return crossbar

    def test_the_folder_is_that_of_this_python_in_the_cache(self) -> None:
        self.assertEqual(tools.folder(), self.cache / 'buildbot-balancer' / 'cluster-3.12')

    def test_what_is_not_installed_is_said_with_the_command_that_installs_it(self) -> None:
        self.assertIsNone(tools.crossbar())
        self.assertIn('python -m demo.cluster.tools', tools.problem())

    def test_half_an_installation_is_none(self) -> None:
        self.install()
        self.assertIsNone(tools.crossbar())

    def test_what_is_installed_is_found(self) -> None:
        crossbar = self.install()
        (tools.folder() / '.ready').touch()
        self.assertEqual(tools.crossbar(), crossbar)
        self.assertEqual(tools.problem(), '')

    def test_an_old_python_is_named(self) -> None:
        self.patch(tools.sys, 'version_info', (3, 9, 18))
        self.assertEqual(tools.problem(), 'Crossbar.io needs Python 3.11 or later')
        with self.assertRaises(tools.ToolsError) as raised:
            tools.install()
        self.assertEqual(str(raised.exception), tools.problem())
        self.assertFalse(self.cache.exists())

    def test_why_an_installation_failed_is_remembered_until_the_next_one(self) -> None:
        why = iter(['no network', None])

        def make(where: Path) -> None:
            if (said := next(why)) is not None:
                raise tools.ToolsError(said)
            self.install()
            (where / '.ready').touch()

        self.patch(tools, '_make', make)
        with self.assertRaises(tools.ToolsError):
            tools.install()
        self.assertEqual(tools.problem(), 'Crossbar.io could not be installed: no network')
        tools.install()
        self.assertEqual(tools.problem(), '')

    def test_the_systems_postgresql_comes_before_the_packages(self) -> None:
        self.install()
        (tools.folder() / '.ready').touch()
        packages = tools.folder() / 'lib/python3.12/site-packages/pgserver/pginstall/bin'
        packages.mkdir(parents=True)
        (packages / 'postgres').touch()
        self.patch(tools.shutil, 'which', lambda name: f'/somewhere/{name}')
        self.assertEqual(tools.postgres(), Path('/somewhere'))
        self.patch(tools.shutil, 'which', lambda name: None)
        self.patch(tools, 'OF_THE_SYSTEM', ())
        self.assertEqual(tools.postgres(), packages)
