# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import base64
import os
import tempfile
from pathlib import Path
from unittest import mock

import click
from support.stage import API
from support.stage import Reply
from support.stage import StageCase
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cli import login
from buildbot_balancer.cli.faults import ServerError

SESSION = ('Set-Cookie', 'TWISTED_SESSION=eyJ.a.b; Path=/')
HOME = ('Location', 'http://ci.example.com/#/')


def basic(user, password):
    return f'Basic {base64.b64encode(f"{user}:{password}".encode()).decode()}'


class Case(StageCase):
    def setUp(self):
        super().setUp()
        self.has('workers', 'balancer_workers', [])

    def replies(self, path, *args):
        self.stage.replies[path] = Reply(*args)

    def paths(self):
        return [asked.path for asked in self.stage.asked]

    @property
    def last(self):
        return self.stage.asked[-1]


class Anonymous(Case):
    def test_nothing_is_sent_and_no_login_is_made(self):
        self.run_ok('workers')
        self.assertEqual(self.paths(), [f'{API}workers'])
        self.assertEqual((self.last.authorization, self.last.cookie), ('', ''))

    def test_a_password_alone_is_no_login(self):
        self.env.update(BUILDBOT_BALANCER_PASSWORD='pw')
        self.run_ok('workers')
        self.assertEqual(self.last.authorization, '')

    def test_the_file_netrc_is_not_read(self):
        netrc = Path(tempfile.mkdtemp()) / 'netrc'
        self.addCleanup(os.remove, netrc)
        netrc.write_text('machine 127.0.0.1 login ann password secret\n')
        self.env['NETRC'] = str(netrc)
        self.run_ok('workers')
        self.run_ok('workers', '--token', 'abc')
        self.assertNotIn('Basic', ''.join(asked.authorization for asked in self.stage.asked))


class Users(Case):
    def setUp(self):
        super().setUp()
        self.replies('/auth/login', 302, b'', (SESSION, HOME))
        self.env.update(BUILDBOT_BALANCER_PASSWORD='pw')

    def test_the_password_gets_a_session_and_the_session_is_used(self):
        self.run_ok('workers', '--user', 'ann')
        self.assertEqual(self.paths(), ['/auth/login', f'{API}workers'])
        self.assertEqual(self.stage.asked[0].authorization, basic('ann', 'pw'))
        self.assertEqual(self.last.cookie, 'TWISTED_SESSION=eyJ.a.b')

    def test_the_user_comes_from_the_environment_too(self):
        self.env['BUILDBOT_BALANCER_USER'] = 'ann'
        self.run_ok('workers')
        self.assertEqual(self.stage.asked[0].authorization, basic('ann', 'pw'))

    def test_a_password_that_is_missing_is_asked_for(self):
        self.env['BUILDBOT_BALANCER_PASSWORD'] = None
        result = self.run_it('workers', '--user', 'ann', text='typed\n')
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertEqual(self.stage.asked[0].authorization, basic('ann', 'typed'))
        self.assertNotIn('typed', result.output)

    def test_a_password_that_nobody_types_is_said(self):
        self.env['BUILDBOT_BALANCER_PASSWORD'] = None
        with mock.patch('click.prompt', side_effect=click.Abort):
            said = self.refused(2, 'workers', '--user', 'ann')
        self.assertIn('BUILDBOT_BALANCER_PASSWORD', said)
        self.assertEqual(self.stage.asked, [])

    def test_a_wrong_password_is_said(self):
        self.replies('/auth/login', 401)
        said = self.refused(4, 'workers', '--user', 'ann')
        self.assertIn('wrong user or password', said)
        self.assertNotIn('pw', said)
        self.assertEqual(self.paths(), ['/auth/login'])

    def test_a_master_whose_users_log_in_elsewhere_is_said(self):
        there = ('Location', 'https://github.com/login/oauth/authorize?client_id=x')
        self.replies('/auth/login', 302, b'', (there,))
        said = self.refused(4, 'workers', '--user', 'ann')
        self.assertIn('github.com', said)
        self.assertIn('--cookie', said)

    def test_behind_a_proxy_that_checks_users_the_front_page_makes_the_session(self):
        self.replies('/auth/login', 403)
        self.replies('/', 200, b'<html>', (SESSION,))
        self.run_ok('workers', '--user', 'ann')
        self.assertEqual(self.paths(), ['/auth/login', '/', f'{API}workers'])
        self.assertEqual({asked.authorization for asked in self.stage.asked}, {basic('ann', 'pw')})
        self.assertEqual(self.last.cookie, 'TWISTED_SESSION=eyJ.a.b')

    def test_the_front_page_may_refuse(self):
        self.replies('/auth/login', 403)
        self.replies('/', 401)
        self.refused(4, 'workers', '--user', 'ann')
        self.replies('/', 302, b'', (('Location', 'https://sso.example.com/'),))
        self.assertIn('wants a login at sso', self.refused(4, 'workers', '--user', 'ann'))


class Tokens(Case):
    def test_a_token_is_sent_with_everything(self):
        self.replies('/', 200, b'<html>', (SESSION,))
        self.env.update(BUILDBOT_BALANCER_TOKEN='abc')
        self.run_ok('workers')
        self.assertEqual(self.paths(), ['/', f'{API}workers'])
        self.assertEqual({asked.authorization for asked in self.stage.asked}, {'Bearer abc'})
        self.assertEqual(self.last.cookie, 'TWISTED_SESSION=eyJ.a.b')

    def test_a_token_that_would_break_the_header_is_refused_and_not_said(self):
        said = self.refused(2, 'workers', '--token', 'abc\r\nX-Evil: 1')
        self.assertIn('characters that no token has', said)
        self.assertNotIn('Evil', said)
        self.assertEqual(self.stage.asked, [])


class Cookies(Case):
    def test_a_session_of_buildbots_needs_no_login(self):
        self.env['BUILDBOT_BALANCER_COOKIE'] = 'TWISTED_SESSION=eyJ.a.b'
        self.run_ok('workers')
        self.assertEqual(self.paths(), [f'{API}workers'])
        self.assertEqual(self.last.cookie, 'TWISTED_SESSION=eyJ.a.b')

    def test_a_cookie_of_a_proxy_is_shown_to_the_front_page_first(self):
        self.replies('/', 200, b'<html>', (SESSION,))
        self.run_ok('workers', '--cookie', '_oauth2_proxy=abc; other=1')
        self.assertEqual(self.paths(), ['/', f'{API}workers'])
        for part in ('_oauth2_proxy=abc', 'other=1', 'TWISTED_SESSION=eyJ.a.b'):
            self.assertIn(part, self.last.cookie)


class Making(SynchronousTestCase):
    def make(self, user=None, password=None, token=None, cookie=None):
        return login.make(user, password, token, cookie)

    def test_nothing_is_anonymous_and_so_is_what_is_empty(self):
        self.assertTrue(self.make().is_anonymous)
        self.assertTrue(self.make('', '', '', '').is_anonymous)
        self.assertFalse(self.make(token='x').is_anonymous)

    def test_two_logins_at_once_are_refused(self):
        self.assertRaises(ServerError, self.make, 'ann', 'pw', 'token')
        self.assertRaises(ServerError, self.make, None, None, 'token', 'a=b')

    def test_a_user_with_a_colon_could_not_be_told_from_a_password(self):
        self.assertRaises(ServerError, self.make, 'ann:x', 'pw')

    def test_the_value_alone_is_the_one_of_buildbots_cookie(self):
        self.assertEqual(self.make(cookie='eyJ.a-b_c').cookies, (('TWISTED_SESSION', 'eyJ.a-b_c'),))
        self.assertTrue(self.make(cookie='TWISTED_SECURE_SESSION_x=1').has_session)
        self.assertFalse(self.make(cookie='sso=1').has_session)
        self.assertEqual(self.make(cookie='a=b=; c=').cookies, (('a', 'b='), ('c', '')))

    def test_what_is_no_cookie_is_refused(self):
        for text in (';', ' ; ', 'a=b\r\nX: 1', 'a=b; c d=e', 'a=ü'):
            self.assertRaises(ServerError, self.make, cookie=text)

    def test_no_secret_is_in_what_is_printed_of_a_login(self):
        made = self.make('ann', 'pw-secret')
        self.assertNotIn('secret', repr(made))
        self.assertNotIn('secret', repr(self.make(token='secret')))
        self.assertNotIn('secret', repr(self.make(cookie='a=secret')))

    def test_the_prompt_hides_what_is_typed(self):
        with mock.patch('click.prompt', return_value='pw') as prompt:
            self.assertEqual(self.make('ann').password, 'pw')
        self.assertTrue(prompt.call_args.kwargs['hide_input'])
        self.assertTrue(prompt.call_args.kwargs['err'])
