# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of the page, as Buildbot's web server serves them."""

from __future__ import annotations

import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path

from support.farm import Farm
from support.plugin import PLUGIN
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer import __version__
from buildbot_balancer.www.page.application import ep


class Application(SynchronousTestCase):
    def setUp(self) -> None:
        self.farm = Farm('pb')
        self.addCleanup(self.farm.close)
        self.farm.make_master(None).configure(self.farm.make_config(balancer=None) + PLUGIN)
        self.farm.master.start()

    def headers(self, path: str) -> Message:
        url = f'http://127.0.0.1:{self.farm.www}/plugins/balancer/{path}'
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.headers

    def test_modules_are_served_as_scripts_that_a_browser_asks_about_anew(self) -> None:
        for name in ('scripts.js', 'page.js', 'workers.js'):
            headers = self.headers(name)
            self.assertEqual(headers.get_content_type(), 'text/javascript')
            self.assertEqual(headers['cache-control'], 'no-cache')
        self.assertEqual(self.headers('styles.css').get_content_type(), 'text/css')

    def test_nothing_else_is_served(self) -> None:
        for path in ('', 'VERSION', '../VERSION', '%2e%2e/VERSION', 'none.js'):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                self.headers(path)
            caught.exception.close()
            self.assertEqual(caught.exception.code, 404, path)


class Package(SynchronousTestCase):
    def test_its_version_is_the_plugins(self) -> None:
        self.assertEqual(ep.version, __version__)

    def test_every_file_says_its_licence(self) -> None:
        files = list(Path(ep.static_dir).iterdir())
        self.assertGreater(len(files), 20)
        for file in files:
            self.assertIn('SPDX-License-Identifier: GPL-2.0-or-later', file.read_text()[:60])
