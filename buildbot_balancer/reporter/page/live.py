# SPDX-License-Identifier: GPL-2.0-or-later
"""Live: the parts of the page that follow what happens, each an element with an id."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.web.template import Tag
from twisted.web.template import tags

from buildbot_balancer.availability.mood import AUTO
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.when import clock_text
from buildbot_balancer.availability.when import span_text
from buildbot_balancer.reporter import says
from buildbot_balancer.reporter.page.sight import Sight
from buildbot_balancer.reporter.says import Says
from buildbot_balancer.reporter.status import Status

_MEANS = {
    Mood.EAGER.label: 'Builds may start here at any time.',
    Mood.RELUCTANT.label: 'Builds start here only if nobody else can.',
    Mood.GOING_ON_HOLIDAY.label: 'Nothing new starts here. What runs may finish.',
    Mood.OFFLINE.label: 'Nothing new starts here.',
}
_FREE = 'Free: nothing runs here, and nothing will start until you go back to automatic.'


def title(sight: Sight) -> str:
    mood = 'starting' if sight.status is None else sight.status.mood
    return f'{sight.title}: {mood}'


def clock(sight: Sight) -> str:
    return clock_text(sight.now, sight.now)


def state(sight: Sight) -> Tag:
    """`data-said`: the button that is in force."""
    status = sight.status
    mood = '' if status is None else status.mood
    return tags.section(id='state', class_=mood, **{'data-said': _said(sight)})(
        tags.div(id='mood', role='status')(*_mood(sight)),
        tags.ul(tags.li(one) for one in ([] if status is None else _facts(status))),
    )


def rest(sight: Sight) -> Tag:
    return tags.div(id='rest')(
        tags.section(
            tags.h2('Who says what'),
            tags.table(
                tags.thead(tags.tr(tags.th(one, scope='col') for one in ('who', 'mood', 'why'))),
                tags.tbody(_row(one, sight.status) for one in sight.says),
            ),
            tags.p(class_='faint')('Your own word counts first; without it the lowest mood does.'),
        ),
        tags.section(
            tags.h2('What changed'),
            tags.ol(
                tags.li(tags.time(clock_text(one.at, sight.now)), ' ', one.words)
                for one in sight.entries
            ),
        ),
    )


def _said(sight: Sight) -> str:
    word = sight.word
    if word.mood is None or not word.holds(sight.now):
        return AUTO
    return says.DRAIN if word.draining else word.mood.label


def _mood(sight: Sight) -> Iterator[Tag]:
    status = sight.status
    if status is None:
        yield tags.p('The reporter has just started.')
        return
    yield tags.p(tags.strong(status.mood))
    yield tags.p(_FREE if status.draining and status.free else _MEANS.get(status.mood, ''))
    yield tags.p(class_='why')(_why(status, sight.now))


def _why(status: Status, now: float) -> str:
    ends = '' if status.until is None else f' until {clock_text(status.until, now)}'
    reason = f': \N{LEFT DOUBLE QUOTATION MARK}{status.reason}\N{RIGHT DOUBLE QUOTATION MARK}'
    if status.source == says.DEFAULT:
        return 'Nobody says anything.'
    if status.source == says.OWNER:
        return f'You said so{ends}{reason if status.reason else ""}'
    if status.source == says.DRAIN:
        return f'You drained it{ends}{reason if status.reason else ""}'
    return f'{status.source}: {status.reason or "no reason given"}{ends}'


def _facts(status: Status) -> Iterator[str]:
    yield 'a master listens' if status.connected else 'no master listens'
    yield _builds(status)
    cpus = '' if status.cpus is None else f' on {status.cpus} CPUs'
    yield 'load unknown' if status.load is None else f'load {status.load:.2f} per CPU{cpus}'
    if status.idle is not None:
        yield f'idle for {span_text(status.idle)}'
    if status.problem:
        yield f'problem: {status.problem}'


def _builds(status: Status) -> str:
    """As the master counts them, and what of them the machine itself sees."""
    here = f'{status.left} commands and processes of builds here' if status.left else ''
    if status.running is None:
        return here or 'no build is known to run'
    builds = '1 build runs' if status.running == 1 else f'{status.running} builds run'
    return f'{builds}, {here}' if here else builds


def _row(one: Says, status: Status | None) -> Tag:
    decides = status is not None and one.source == status.source
    row = tags.tr(class_='decides') if decides else tags.tr()
    mood = '-' if one.mood is None else one.mood.label
    return row(tags.th(one.source, scope='row'), tags.td(mood), tags.td(one.words))
