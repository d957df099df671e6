# SPDX-License-Identifier: GPL-2.0-or-later
"""Markup: the page as HTML. Whatever stands in a tag is text; the templates see to that."""

from __future__ import annotations

from typing import Any

from twisted.web.template import Tag
from twisted.web.template import flattenString
from twisted.web.template import tags

from buildbot_balancer.availability.report import REASON_LIMIT
from buildbot_balancer.reporter.page import live
from buildbot_balancer.reporter.page.form import Form
from buildbot_balancer.reporter.page.sight import Sight

_SAYS = (
    ('eager', 'Eager', 'Builds at any time.'),
    ('reluctant', 'Reluctant', 'Only if nobody else can.'),
    ('offline', 'Offline', 'Nothing new starts.'),
)
_DRAIN = (
    'What runs may finish, and nothing new starts.',
    'When this page says "free", the machine is yours until you go back to automatic.',
)
_UNTIL = '18:00, 2h, 2026-12-24 08:00'
COMMAND = 'buildbot-balancer page BASEDIR'


def page(sight: Sight, token: str, form: Form, wrong: str = '') -> bytes:
    """`token`: what shows that a form is the page's own; `wrong`: why the form was refused."""
    return _document(
        live.title(sight),
        tags.header(
            tags.h1(sight.title),
            tags.p(id='pulse', role='status')(
                tags.noscript(
                    'As it was at ', live.clock(sight), '. ', tags.a('Look again', href='.')
                )
            ),
        ),
        Tag('main')(live.state(sight), _form(token, form, wrong), live.rest(sight)),
        script=True,
    )


def part(sight: Sight) -> bytes:
    """What a page that is open takes over."""
    return _html(tags.div(live.state(sight), live.rest(sight), title=live.title(sight)))


def entering(inside: str) -> bytes:
    """A page that goes on by itself. A redirection would not do: a browser that comes from
    elsewhere would follow it without the cookie, for it is strict.
    """
    meta = tags.meta(content=f'0; url={inside}', **{'http-equiv': 'refresh'})
    return _document('Welcome', Tag('main')(tags.p(tags.a('Go on', href=inside))), head=(meta,))


def closed(why: str) -> bytes:
    return _document(
        'The page is closed',
        Tag('main')(
            tags.h1('The page is closed'),
            tags.p(why),
            tags.p('Its address is told by ', tags.code(COMMAND), '.'),
        ),
    )


def _document(title: str, *body: Tag, head: tuple[Tag, ...] = (), script: bool = False) -> bytes:
    if script:
        head = (*head, tags.script(src='/page.js', type='module'))
    found = tags.html(lang='en')(
        tags.head(
            tags.meta(charset='utf-8'),
            tags.meta(name='viewport', content='width=device-width, initial-scale=1'),
            tags.meta(name='color-scheme', content='light dark'),
            tags.title(title),
            tags.link(rel='stylesheet', href='/page.css'),
            *head,
        ),
        tags.body(*body),
    )
    return b'<!DOCTYPE html>\n' + _html(found)


def _html(tag: Tag) -> bytes:
    """Nothing in it has to be waited for."""
    done: list[Any] = []
    flattened = flattenString(None, tag)
    flattened.addBoth(done.append)
    (html,) = done
    if not isinstance(html, bytes):
        html.raiseException()
    return bytes(html)


def _form(token: str, form: Form, wrong: str) -> Tag:
    problem = tags.p(wrong, id='wrong', role='alert') if wrong else ''
    return tags.form(method='post', action='say', id='say')(
        tags.h2('What may it do?'),
        problem,
        tags.input(type='hidden', name='token', value=token),
        # Enter in a field presses the first button: this one, which cannot be pressed
        tags.button(type='submit', disabled='disabled', hidden='hidden'),
        tags.div(class_='fields')(
            _field(
                'reason', 'Reason', form.reason, 'shown to all who wait for builds', REASON_LIMIT
            ),
            _field('until', 'Until', form.until, _UNTIL, 60),
        ),
        tags.div(class_='buttons')(
            *(_button(*one) for one in _SAYS),
            tags.details(id='drain', **{'data-say': 'drain'})(
                tags.summary(
                    tags.strong('Drain \N{HORIZONTAL ELLIPSIS}'),
                    ' ',
                    tags.span('Free the machine.'),
                ),
                tags.p(' '.join(_DRAIN)),
                _button('drain', 'Start the drain', ''),
            ),
            _button('auto', 'Back to automatic', 'The machine decides.'),
        ),
    )


def _field(name: str, label: str, value: str, hint: str, limit: int) -> Tag:
    field = tags.input(
        name=name,
        id=name,
        value=value,
        placeholder=hint,
        maxlength=str(limit),
        autocomplete='off',
    )
    return tags.p(tags.label(label, **{'for': name}), field)


def _button(say: str, label: str, hint: str) -> Tag:
    text = (tags.strong(label), ' ', tags.span(hint)) if hint else (tags.strong(label),)
    return tags.button(type='submit', name='say', value=say, **{'data-say': say})(*text)
