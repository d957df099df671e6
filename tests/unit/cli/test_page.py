# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import stat
import threading
import webbrowser
from http.server import BaseHTTPRequestHandler
from http.server import HTTPServer
from urllib.parse import parse_qs
from urllib.parse import urlsplit

from click.testing import CliRunner
from support.reporters import new_folder
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cli.page import command
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.reporter.page import ticket
from buildbot_balancer.reporter.page.keys import proof
from buildbot_balancer.reporter.page.ticket import PageError
from buildbot_balancer.reporter.page.ticket import Ticket
from buildbot_balancer.reporter.pulse import Pulse
from demo.processes import free_ports

TOKEN = 'ab' * 32
STOCK = """\
from buildbot_worker.bot import Worker
s = Worker('localhost', 1, 'w', 'secret', '.', 600)
"""


class Server:
    """Who answers on the port, and knows `token`."""

    def __init__(self, case, token):
        self.asked = asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                nonce = parse_qs(urlsplit(self.path).query)['nonce'][0]
                self.send_response(200)
                self.end_headers()
                self.wfile.write(proof(token, self.server.server_port, nonce).encode())

            def log_message(self, *args):
                pass

        server = HTTPServer(('127.0.0.1', 0), Handler)
        self.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.01})
        thread.start()
        for end in (thread.join, server.server_close, server.shutdown):
            case.addCleanup(end)


class Case(SynchronousTestCase):
    def setUp(self):
        self.basedir = new_folder(self)
        (self.basedir / 'buildbot.tac').write_text(STOCK)
        self.pulse = Pulse(self.basedir)
        self.pulse.start()
        self.addCleanup(self.pulse.stop)
        self.opened = []
        self.browser = True
        self.patch(webbrowser, 'open', self.open_browser)

    def open_browser(self, url):
        self.opened.append(url)
        return self.browser

    def serve(self, token=TOKEN):
        server = Server(self, token)
        ticket.save(self.basedir, Ticket(server.port, TOKEN))
        self.url = f'http://127.0.0.1:{server.port}/?token={TOKEN}'
        return server

    def run_page(self, *args):
        return CliRunner().invoke(command, [str(self.basedir), *args])

    def assert_refused(self, said, kind=BalancerError):
        result = self.run_page('--open')
        self.assertIsInstance(result.exception, kind)
        self.assertIn(said, str(result.exception))
        self.assertNotIn(TOKEN, str(result.exception))
        self.assertEqual((result.output, self.opened), ('', []))


class Printing(Case):
    def test_it_prints_the_address_that_lets_in(self):
        self.serve()
        result = self.run_page()
        self.assertEqual((result.exit_code, result.output), (0, f'{self.url}\n'))
        self.assertEqual(self.opened, [])

    def test_the_token_itself_is_not_sent_to_ask_who_is_there(self):
        server = self.serve()
        self.run_page()
        self.assertEqual(len(server.asked), 1)
        self.assertNotIn(TOKEN, server.asked[0])

    def test_a_browser_is_given_a_private_file_and_no_token_that_others_can_see(self):
        self.serve()
        self.run_page('--open')
        path = self.basedir / ticket.DOORWAY
        self.assertEqual(self.opened, [path.as_uri()])
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertIn(f'content="0; url={self.url}"', path.read_text())

    def test_without_a_browser_the_address_is_printed_all_the_same(self):
        self.serve()
        self.browser = False
        self.assertEqual(
            self.run_page('--open').output, f'{self.url}\nno browser could be opened\n'
        )


class Refusing(Case):
    def test_a_stranger_on_the_port_is_not_shown_to_the_owner(self):
        self.serve(token='cd' * 32)
        self.assert_refused('is not this worker')

    def test_a_port_where_nobody_answers_is_one_sentence(self):
        (port,) = free_ports(1)
        ticket.save(self.basedir, Ticket(port, TOKEN))
        self.assert_refused('or nobody does')

    def test_a_page_that_is_not_open_says_what_opens_it(self):
        self.assert_refused('it needs a section [page] with "port = 8099" in availability.toml')

    def test_without_a_reporter_there_is_no_page(self):
        self.serve()
        self.pulse.stop()
        self.assert_refused('no reporter runs')

    def test_a_token_that_others_can_read_is_not_used(self):
        self.serve()
        ticket.path(self.basedir).chmod(0o640)
        self.assert_refused('other users of this machine', PageError)

    def test_a_folder_that_is_no_workers_is_refused(self):
        (self.basedir / 'buildbot.tac').unlink()
        self.pulse.stop()
        (self.basedir / 'availability.lock').unlink()
        self.assert_refused("is no worker's folder")
