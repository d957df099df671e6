# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is let in to the owner's page, and what a form of it does."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.errors import StoreError
from buildbot_balancer.reporter.page import front as module
from buildbot_balancer.reporter.page import keys as keys_module
from buildbot_balancer.reporter.page.ask import FORM
from buildbot_balancer.reporter.page.ask import Ask
from buildbot_balancer.reporter.page.front import Front
from buildbot_balancer.reporter.page.keys import LASTS
from buildbot_balancer.reporter.page.keys import Keys
from buildbot_balancer.reporter.page.sight import Sight
from buildbot_balancer.reporter.status import Status

NOW = 1_800_000_000.0
PORT = 8099
HOST = f'127.0.0.1:{PORT}'
OTHER = 'http://127.0.0.1:8010'  # another port of this machine: to cookies it is the same site


def some_bytes(start=0xA0):
    """Each call gives others, and each run the same."""
    numbers = iter(range(start, 256))
    return lambda count: bytes([next(numbers)]) * count


class Case(SynchronousTestCase):
    def setUp(self):
        self.keys = Keys.new(some_bytes())
        self.now = NOW
        self.words = []
        self.failure = None
        self.status = Status(mood='eager', source='default', at=NOW)
        self.front = Front(PORT, lambda: self.keys, self.sight, self.speak, lambda: self.now)
        self.door = f'/{self.keys.door}/'
        self.cookie = f'{self.keys.cookie_name}={self.keys.cookie(NOW)}'
        self.headers = {'host': HOST, 'cookie': self.cookie}
        self.form_headers = {**self.headers, 'origin': f'http://{HOST}', 'content-type': FORM}
        self.token = self.keys.form(self.keys.cookie(NOW))

    def sight(self):
        return Sight(title='anna', now=self.now, status=self.status)

    def speak(self, word):
        if self.failure is not None:
            raise self.failure
        self.words.append(word)

    def ask(self, path, method='GET', query='', body='', **headers):
        given = {name.replace('_', '-'): value for name, value in headers.items()}
        found = {**self.headers, **given}
        sent = {
            name: value if isinstance(value, tuple) else (value,)
            for name, value in found.items()
            if value is not None
        }
        return self.front.answer(
            Ask(method=method, path=path, query=query, headers=sent, body=body)
        )

    def get(self, path='', **headers):
        return self.ask(self.door + path, **headers)

    def post(self, fields=None, body=None, **headers):
        form = {'token': self.token, 'say': 'offline'} if fields is None else fields
        given = {'origin': f'http://{HOST}', 'content_type': FORM, **headers}
        return self.ask(f'{self.door}say', 'POST', body=body or urlencode(form), **given)

    def say(self, **fields):
        return self.post({'token': self.token, **fields})

    def assert_refused(self, answer, code=403):
        self.assertEqual(answer.code, code)
        self.assertEqual(self.words, [])
        for secret in (self.keys.token, self.keys.door, self.token):
            self.assertNotIn(secret, answer.body.decode())
        self.assertEqual([name for name, _ in answer.headers if name == 'Set-Cookie'], [])


class Entering(Case):
    def enter(self, token, **headers):
        return self.ask('/', query=urlencode({'token': token}), cookie=None, **headers)

    def test_the_token_is_exchanged_for_a_cookie_that_no_script_and_no_other_site_can_use(self):
        answer = self.enter(self.keys.token)
        self.assertEqual(answer.code, 200)
        ((_, cookie),) = answer.headers
        self.assertEqual(cookie, f'{self.cookie}; Path={self.door}; HttpOnly; SameSite=Strict')
        self.assertIn(f'content="0; url={self.door}"', answer.body.decode())
        self.assertNotIn(self.keys.token, answer.body.decode())

    def test_any_other_token_opens_nothing(self):
        token = self.keys.token
        for wrong in ('', token[:-1], token + 'x', token.upper(), token[:-1] + 'é', 'x' * 10_000):
            self.assert_refused(self.enter(wrong))

    def test_the_token_is_compared_in_a_time_that_tells_nothing(self):
        compared = []

        def compare(one, other):
            compared.append({bytes(one), bytes(other)})
            return one == other

        self.patch(keys_module.hmac, 'compare_digest', compare)
        self.enter('x')
        self.assertIn({b'x', self.keys.token.encode()}, compared)

    def test_without_the_cookie_nothing_is_shown_and_nothing_is_changed(self):
        other = Keys.new(some_bytes(0xE0))
        for cookie in (
            None,
            '',
            'x=y',
            f'{self.keys.cookie_name}=',
            f'{self.keys.cookie_name}={other.cookie(NOW)}',
            f'{self.keys.cookie_name}={self.keys.token}',
            f'{self.keys.cookie_name}={self.keys.cookie(NOW)[:-1]}',
            f'{self.keys.cookie_name}={NOW + 9:.0f}-{self.keys.cookie(NOW).partition("-")[2]}',
            f'x{self.cookie}',
            (self.cookie, self.cookie),
        ):
            self.assert_refused(self.get(cookie=cookie))
            self.assert_refused(self.get('state', cookie=cookie))
            self.assert_refused(self.post(cookie=cookie))

    def test_a_cookie_is_found_among_those_of_other_programs_on_this_machine(self):
        self.assertEqual(self.get(cookie=f'_xsrf=1; {self.cookie}; a=b').code, 200)

    def test_without_the_folder_the_cookie_is_of_no_use(self):
        for path in ('/', '/state', '/say', f'{self.door[:-2]}/', f'/x{self.door}'):
            answer = self.ask(path)
            self.assertIn(answer.code, (403, 404))
            self.assertNotIn('anna', answer.body.decode())

    def test_a_cookie_ends(self):
        self.now = NOW + LASTS
        self.assertEqual(self.get().code, 200)
        self.now += 1
        self.assert_refused(self.get())

    def test_new_keys_let_nobody_in_who_had_the_old(self):
        old = self.keys.token
        self.keys = Keys.new(some_bytes(0xE0))
        self.assert_refused(self.get(), 404)
        self.assert_refused(self.enter(old))

    def test_who_knows_the_token_is_told_that_this_is_the_page(self):
        answer = self.ask('/proof', query='nonce=abc', cookie=None)
        self.assertEqual(
            answer.body.decode().strip(), keys_module.proof(self.keys.token, PORT, 'abc')
        )
        for other in (('t', PORT, 'abc'), (self.keys.token, 1, 'abc'), (self.keys.token, PORT, '')):
            self.assertNotEqual(answer.body.decode().strip(), keys_module.proof(*other))


class Hosts(Case):
    def test_another_name_for_this_machine_is_refused_everywhere(self):
        for host in (
            None,
            '',
            'evil.example',
            f'evil.example:{PORT}',
            '127.0.0.1',
            '127.0.0.1:80',
            f'127.0.0.1:{PORT}.evil.example',
            f'evil.example@127.0.0.1:{PORT}',
            f'127.0.0.2:{PORT}',
            f'0.0.0.0:{PORT}',
            (HOST, HOST),
            (HOST, 'evil.example'),
        ):
            for answer in (
                self.get(host=host),
                self.get('state', host=host),
                self.post(host=host),
                self.ask('/', query=f'token={self.keys.token}', host=host),
                self.ask('/proof', query='nonce=a', host=host),
                self.ask('/page.css', host=host),
            ):
                self.assert_refused(answer, 421)

    def test_both_names_of_this_machine_are_known(self):
        for host in (HOST, f'localhost:{PORT}', f'LocalHost:{PORT}'):
            self.assertEqual(self.get(host=host).code, 200)

    def test_on_port_80_browsers_leave_the_port_out(self):
        self.front = Front(80, lambda: self.keys, self.sight, self.speak, lambda: self.now)
        for host in ('localhost', '127.0.0.1', 'localhost:80'):
            self.assertEqual(self.get(host=host).code, 200)
        self.assertEqual(self.get(host=HOST).code, 421)


class Forms(Case):
    def test_a_form_of_another_origin_changes_nothing(self):
        for origin in (
            None,
            'null',
            OTHER,
            'http://evil.example',
            f'https://{HOST}',
            f'http://localhost:{PORT}',  # the page of the other name: not the one that asked
            f'http://{HOST}/',
            f'http://{HOST}.evil.example',
            (f'http://{HOST}', f'http://{HOST}'),
        ):
            self.assert_refused(self.post(origin=origin))

    def test_a_form_without_the_token_of_this_cookie_changes_nothing(self):
        other = self.keys.form(self.keys.cookie(NOW + 1))
        for token in ('', other, self.token[:-1], self.keys.token, self.keys.cookie(NOW)):
            self.assert_refused(self.post({'token': token, 'say': 'offline'}))
        self.assert_refused(self.post({'say': 'offline'}))

    def test_a_token_in_the_address_is_none(self):
        answer = self.ask(
            f'{self.door}say',
            'POST',
            query=urlencode({'token': self.token, 'say': 'offline'}),
            body='say=offline',
            origin=f'http://{HOST}',
            content_type=FORM,
        )
        self.assert_refused(answer)

    def test_only_a_form_is_read(self):
        for kind in (None, '', 'text/plain', 'application/json', 'multipart/form-data'):
            self.assert_refused(self.post(content_type=kind))
        self.assertEqual(self.post(content_type=f'{FORM}; charset=utf-8').code, 303)

    def test_nothing_is_changed_by_looking(self):
        query = urlencode({'token': self.token, 'say': 'offline'})
        for method in ('GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'get'):
            answer = self.ask(f'{self.door}say', method, query=query, origin=f'http://{HOST}')
            self.assert_refused(answer, 405)
            self.assertIn(('Allow', 'POST'), answer.headers)
        for path in ('', 'state'):
            self.assertEqual(self.ask(self.door + path, query=query).code, 200)
        self.assertEqual(self.words, [])

    def test_what_is_shown_cannot_be_posted_to(self):
        for path in ('', 'state'):
            self.assertEqual(self.ask(self.door + path, 'POST').code, 405)
        self.assertEqual(self.ask('/', 'POST').code, 405)

    def test_a_body_that_is_no_form_changes_nothing(self):
        for body in ('&&&&', '=' * 500, 'a=1&' * 10_000, '\x00\ufffd', '%ff%fe'):
            self.assert_refused(self.post(body=body))


class Saying(Case):
    def test_each_button_says_its_word_and_the_page_comes_back(self):
        for said, mood, draining in (
            ('eager', Mood.EAGER, False),
            ('reluctant', Mood.RELUCTANT, False),
            ('offline', Mood.OFFLINE, False),
            ('drain', Mood.GOING_ON_HOLIDAY, True),
            ('auto', None, False),
        ):
            answer = self.say(say=said, reason='why not' if mood is not None else '')
            self.assertEqual((answer.code, answer.headers), (303, (('Location', self.door),)))
            word = self.words.pop()
            self.assertEqual((word.mood, word.draining), (mood, draining))
            self.assertEqual(word.reason, 'why not' if mood is not None else None)
            self.assertNotEqual(word.id, '')

    def test_two_words_never_have_the_same_id(self):
        self.say(say='eager')
        self.say(say='eager')
        self.assertEqual(len({word.id for word in self.words}), 2)

    def test_an_end_is_read_as_people_type_it(self):
        self.say(say='offline', until='2h')
        self.assertEqual(self.words[0].until, NOW + 7200)

    def test_a_wrong_end_is_said_on_the_page_and_nothing_that_was_typed_is_lost(self):
        for until, said in (('half past never', 'half past never'), ('2001-01-01', 'is over')):
            answer = self.say(say='offline', reason='a "talk" & <more>', until=until)
            text = answer.body.decode()
            self.assertEqual(answer.code, 400)
            self.assertIn('Nothing was changed: ', text)
            self.assertIn(said, text)
            self.assertIn('value="a &quot;talk&quot; &amp; &lt;more&gt;"', text)
            self.assertIn(f'value="{until}"', text)
            self.assertIn(self.token, text)
        self.assertEqual(self.words, [])

    def test_an_unknown_button_is_one_sentence(self):
        for fields in ({'say': 'eagre'}, {'say': ''}, {}):
            answer = self.say(**fields)
            self.assertEqual(answer.code, 400)
            self.assertEqual(self.words, [])

    def test_a_reason_is_one_line_of_bounded_length(self):
        self.say(say='offline', reason='a\r\nuntil: 2099-01-01\x1b[31m' + 'x' * 1000)
        reason = self.words[0].reason
        self.assertEqual(len(reason), 200)
        self.assertTrue(reason.isprintable())

    def test_a_full_disk_is_said_on_the_page(self):
        self.failure = StoreError('cannot write x: No space left on device')
        answer = self.say(say='offline', reason='mine')
        self.assertEqual(answer.code, 500)
        self.assertIn('No space left on device', answer.body.decode())
        self.assertIn('value="mine"', answer.body.decode())


class Contents(Case):
    def test_there_is_no_script_and_no_style_within_the_page(self):
        text = self.get().body.decode()
        self.assertEqual(re.findall(r'<style|\sstyle=|\son\w+=|javascript:', text), [])
        self.assertEqual(re.findall(r'<script[^>]*>([^<]*)</script>', text), [''])
        self.assertEqual(
            re.findall(r'(?:src|href)="([^"]*)"', text), ['/page.css', '/page.js', '.']
        )

    def test_its_files_are_there_for_the_browser(self):
        for name, kind in module._KINDS.items():
            answer = self.ask(f'/{name}', cookie=None)
            self.assertEqual((answer.code, answer.kind), (200, kind))
            self.assertIn(b'SPDX-License-Identifier: GPL-2.0-or-later', answer.body[:60])

    def test_nothing_else_is_served(self):
        for path in ('/page.py', '/../front.py', '/static/page.js', '/%2e%2e/', f'{self.door}x'):
            self.assertEqual(self.ask(path).code, 404)
