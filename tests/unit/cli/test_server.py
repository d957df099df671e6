# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import http.server
import socket
import ssl
import threading
from unittest import mock

import requests
from support.stage import API
from support.stage import Reply
from support.stage import StageCase
from support.stage import worker
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cli import server
from buildbot_balancer.cli import trouble
from buildbot_balancer.cli.faults import ServerError
from buildbot_balancer.cli.login import Login
from buildbot_balancer.cli.server import Server
from buildbot_balancer.cli.server import base_url


class Addresses(SynchronousTestCase):
    def test_what_a_browser_shows_is_taken(self):
        for text, url in (
            ('http://ci:8010', 'http://ci:8010'),
            (' https://ci.example.com/buildbot/ ', 'https://ci.example.com/buildbot'),
            ('https://ci.example.com/#/builders/3', 'https://ci.example.com'),
            ('https://ci.example.com/buildbot/?x=1#/', 'https://ci.example.com/buildbot'),
            ('http://[::1]:8010/', 'http://[::1]:8010'),
        ):
            self.assertEqual(base_url(text), url)

    def test_what_is_no_address_is_refused(self):
        for text in ('', 'ci', 'ci:8010', 'ftp://ci', 'http://', 'http://ci:port', 'http://[x'):
            self.assertRaises(ServerError, base_url, text)

    def test_a_password_in_the_address_is_refused_and_not_said(self):
        e = self.assertRaises(ServerError, base_url, 'http://ann:secret@ci')
        self.assertNotIn('secret', str(e))


class Answers(StageCase):
    """What comes in the place of an answer, whatever is asked."""

    def comes(self, *args, **more):
        self.stage.other = Reply(*args, **more)

    def test_an_answer_of_something_else_is_said(self):
        for body in (b'', b'<html>It works</html>', b'[]', b'null', b'{"error": 1}', b'\xff{'):
            self.comes(200, body)
            for command in (('workers',), ('why', '7'), ('pause', 'win')):
                self.assertIn('does not answer as a Buildbot does', self.refused(2, *command))

    def test_a_page_that_is_not_there_is_no_buildbot(self):
        self.comes(404, b'<h1>Not found</h1>')
        self.assertIn('does not answer as a Buildbot does', self.refused(2, 'workers'))

    def test_objects_of_a_wrong_kind_are_said(self):
        for items in (b'{}', b'[1]', b'[[]]', b'null'):
            self.comes(200, b'{"balancer_workers": ' + items + b', "meta": {}}')
            self.assertIn('does not answer as a Buildbot does', self.refused(2, 'workers'))

    def test_deep_nonsense_is_said(self):
        self.comes(200, b'[' * 200_000)
        self.assertIn('does not answer as a Buildbot does', self.refused(2, 'workers'))

    def test_more_than_anybody_asked_for_is_not_read(self):
        self.comes(200, b'{"balancer_workers": [], "meta": {}}' + b' ' * 200_000)
        self.run_ok('workers')
        with mock.patch.object(server, 'LARGEST', 100_000):
            self.assertIn('does not answer as a Buildbot does', self.refused(2, 'workers'))

    def test_a_buildbot_without_the_balancer_is_said(self):
        self.stage.other = Reply.of(404, {'error': 'Invalid path: balancer/workers'})
        for command in (('workers',), ('why',), ('why', '7'), ('pause', 'win'), ('history',)):
            self.assertIn('is a Buildbot without a Balancer', self.refused(2, *command))

    def test_a_balancer_that_does_not_run_is_said_in_the_masters_words(self):
        self.stage.other = Reply.of(404, {'error': 'no Balancer runs on this master'})
        self.assertIn('no Balancer runs on this master', self.refused(2, 'why', '7'))

    def test_a_master_that_fails_is_said(self):
        self.comes(500, b'<h1>traceback</h1>')
        self.assertIn('fails (HTTP 500)', self.refused(2, 'workers'))
        self.stage.other = Reply.of(500, {'error': 'KeyError(1)'})
        self.assertIn('KeyError(1) (HTTP 500)', self.refused(2, 'workers'))

    def test_what_the_master_says_cannot_steer_the_terminal(self):
        self.stage.other = Reply.of(500, {'error': 'a\x1b[31mb\nc'})
        self.assertIn('a[31mb c (HTTP 500)', self.refused(2, 'workers'))

    def test_who_may_not_is_told_why_and_what_to_give(self):
        self.stage.other = Reply.of(403, {'error': "you need to have role 'admins'"})
        said = self.refused(4, 'workers')
        self.assertIn("you need to have role 'admins'", said)
        self.assertIn('give --user, --token or --cookie', said)
        said = self.refused(4, 'workers', '--cookie', 'TWISTED_SESSION=x')
        self.assertIn('lacks the right, or is over', said)

    def test_who_is_not_known_is_told(self):
        self.comes(401, b'<h1>Unauthorized</h1>')
        self.assertIn('does not allow it', self.refused(4, 'workers'))

    def test_a_login_page_is_not_followed(self):
        self.comes(302, headers=(('Location', 'https://sso.example.com/login?rd=x'),))
        said = self.refused(4, 'workers')
        self.assertIn('wants a login at sso.example.com', said)
        self.assertEqual(len(self.stage.asked), 1)

    def test_a_login_page_of_the_same_host_is_a_login_too(self):
        self.comes(302, headers=(('Location', '/login'),))
        self.assertIn('wants a login:', self.refused(4, 'workers'))

    def test_an_address_that_has_moved_is_said(self):
        new = ('Location', f'https://ci.example.com{API}workers?limit=1000')
        self.comes(301, headers=(new,))
        said = self.refused(2, 'workers')
        self.assertIn('has moved to https://ci.example.com: give that address', said)

    def test_a_redirect_to_nowhere_is_said(self):
        self.comes(302, headers=(('Location', 'http://[x'),))
        self.assertIn('no proper HTTP', self.refused(2, 'workers'))

    def test_an_answer_that_cannot_be_unpacked_is_said(self):
        self.comes(200, b'{}', headers=(('Content-Encoding', 'gzip'),))
        self.assertIn('no proper HTTP', self.refused(2, 'workers'))

    def test_pages_are_put_together(self):
        self.has('workers', 'balancer_workers', [worker(f'w{n}') for n in range(5)])
        with mock.patch.object(server, 'PAGE', 2):
            output = self.run_ok('workers')
        self.assertEqual(
            [line[:2] for line in output.splitlines()[1:]], [f'w{n}' for n in range(5)]
        )
        self.assertEqual(len(self.stage.asked), 3)

    def test_a_total_that_is_never_reached_ends_all_the_same(self):
        body = {'balancer_workers': [], 'meta': {'total': 9}}
        self.stage.other = Reply.of(200, body)
        self.assertIn('no workers', self.run_ok('workers'))

    def test_an_answer_that_never_comes_is_waited_for_a_while(self):
        held = threading.Event()
        self.addCleanup(held.set)

        def hold(asked):
            held.wait(60)
            return Reply(200)

        self.stage.other = hold
        with mock.patch.object(server, 'TIMEOUT', 0.2):
            self.assertIn('did not answer within', self.refused(2, 'workers'))
        self.assertEqual(len(self.stage.asked), 1)

    def test_an_answer_that_never_ends_is_not_read_for_ever(self):
        self.comes(200, b' ' * 200_000)
        with mock.patch.object(server.time, 'monotonic', side_effect=range(0, 10**6, 100)):
            self.assertIn('did not answer within', self.refused(2, 'workers'))


class Connections(StageCase):
    def refused_at(self, url):
        self.env['BUILDBOT_BALANCER_URL'] = url
        return self.refused(2, 'workers')

    def test_a_port_where_nobody_listens_is_said(self):
        with socket.create_server(('127.0.0.1', 0)) as listening:
            url = f'http://127.0.0.1:{listening.getsockname()[1]}'
        self.assertIn(f'cannot reach {url}: Connection refused', self.refused_at(url))

    def test_a_host_that_does_not_exist_is_said(self):
        gone = socket.gaierror(-2, 'Name or service not known')
        with mock.patch('socket.getaddrinfo', side_effect=gone):
            said = self.refused_at('http://ci.invalid/')
        self.assertIn('cannot reach http://ci.invalid: Name or service not known', said)

    def test_a_proxy_that_cannot_be_reached_is_said(self):
        with socket.create_server(('127.0.0.1', 0)) as listening:
            self.env['http_proxy'] = f'http://127.0.0.1:{listening.getsockname()[1]}'
        said = self.refused_at('http://ci.invalid/')
        self.assertIn('http://ci.invalid through a proxy: Connection refused', said)

    def test_a_file_of_certificates_that_is_not_there_is_said(self):
        self.env['REQUESTS_CA_BUNDLE'] = '/nonexistent'
        self.assertRegex(self.refused_at('https://127.0.0.1:1/'), '/nonexistent$')

    def test_a_server_that_hangs_up_is_said(self):
        with socket.create_server(('127.0.0.1', 0)) as listening:

            def hang_up():
                listening.accept()[0].close()

            closing = threading.Thread(target=hang_up)
            closing.start()
            self.addCleanup(closing.join)
            said = self.refused_at(f'http://127.0.0.1:{listening.getsockname()[1]}')
        self.assertIn('cannot reach', said)

    def test_a_server_that_speaks_no_tls_is_said(self):
        said = self.refused_at(self.stage.url.replace('http:', 'https:'))
        self.assertIn('no safe connection', said)

    def test_a_certificate_that_cannot_be_checked_is_said(self):
        refused = ssl.SSLCertVerificationError(1, 'certificate verify failed')
        refused.verify_message = 'self-signed certificate'
        said = str(trouble.of('https://ci', requests.exceptions.SSLError(refused), 60))
        self.assertIn('no safe connection: self-signed certificate', said)
        self.assertIn('REQUESTS_CA_BUNDLE', said)

    def test_without_an_address_it_says_how_to_give_one(self):
        self.env['BUILDBOT_BALANCER_URL'] = None
        result = self.run_it('workers')
        self.assertEqual(result.exit_code, 2)
        self.assertIn('BUILDBOT_BALANCER_URL', result.output)

    def test_the_option_beats_the_environment(self):
        self.has('workers', 'balancer_workers', [])
        self.env['BUILDBOT_BALANCER_URL'] = 'http://127.0.0.1:1'
        self.run_ok('workers', '--url', f'{self.stage.url}/#/workers')

    def test_nothing_is_tried_twice(self):
        class Once(http.server.BaseHTTPRequestHandler):
            asked = 0

            def do_GET(self):
                type(self).asked += 1
                self.close_connection = True

        with http.server.HTTPServer(('127.0.0.1', 0), Once) as listening:
            serving = threading.Thread(target=listening.serve_forever, args=(0.01,))
            serving.start()
            self.refused_at(f'http://127.0.0.1:{listening.server_port}')
            listening.shutdown()
            serving.join()
        self.assertEqual(Once.asked, 1)


class Paths(StageCase):
    def test_a_name_with_a_slash_is_one_part(self):
        self.stage.other = Reply.of(200, {'balancer_events': [], 'meta': {}})
        Server(self.stage.url, Login()).many('locks', 'a/b ü', 'history')
        self.assertEqual(self.stage.asked[0].path, f'{API}locks/a%2Fb%20%C3%BC/history')
