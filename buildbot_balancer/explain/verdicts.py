# SPDX-License-Identifier: GPL-2.0-or-later
"""Verdicts: from the verdicts of a decision to counts and to one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.when import clock_text
from buildbot_balancer.explain.about import PLAIN
from buildbot_balancer.explain.about import About
from buildbot_balancer.explain.sights import Count
from buildbot_balancer.policy.decision import OTHER
from buildbot_balancer.policy.decision import Decision
from buildbot_balancer.policy.verdict import Verdict

NAMED = 5  # workers by name, of one code
APART = 8  # codes in one sentence
DETAIL = 120  # characters
CODE = 40
LONGEST = 800
UNASKED = 'unasked'

# What a number of workers is, by the code of their verdict.
LABELS = {
    'busy': 'busy',
    'can-start-build': 'refused',
    'capability-unknown': 'of unknown capability',
    'closes-soon': 'closing soon',
    'disconnected': 'not connected',
    'duration-unknown': 'closing soon for a build of unknown length',
    'gate': 'with a gate',
    'gate-error': 'with a gate that fails',
    'gate-unknown': 'with a gate that has not answered yet',
    'going-on-holiday': 'on holiday',
    'graceful': 'shutting down',
    'held': 'just attached',
    'incapable': 'incapable',
    'incompatible': 'running as an instance of another type',
    'load': 'over the load limit',
    'load-unknown': 'of unknown load',
    'lock': 'kept by a lock',
    'lock-limit': 'kept by the limit of a lock',
    'not-chosen': 'not chosen',
    'offline': 'offline',
    OTHER: 'with other reasons',
    'paused': 'paused',
    'policy-error': 'that the policy fails on',
    'quarantined': 'in quarantine',
    'reluctant': 'reluctant',
    'tier': 'of a later tier',
    'unavailable': 'not available to Buildbot',
    UNASKED: 'that take nothing of this builder now',
}
# The label says it all.
_NO_MORE = frozenset({'busy', 'gate-unknown', 'incompatible', 'unavailable'})
# Who waits can do nothing about them one by one.
_NAMELESS = frozenset({'busy', 'incapable', 'lock', 'not-chosen', 'tier'})
_MOODS = frozenset(mood.label for mood in Mood)


def counts(decision: Decision) -> tuple[Count, ...]:
    """By code, the commonest first. They add up to the workers that do not take the request."""
    found = [
        Count(
            code=clean(code, CODE),
            count=count,
            names=tuple(clean(name, CODE) for name in sorted(_of(decision, code))[:NAMED]),
        )
        for code, count in decision.reasons.items()
    ]
    if decision.unasked:
        found.append(Count(code=UNASKED, count=decision.unasked))
    return tuple(found)


def summary(decision: Decision, abouts: Mapping[str, About], now: float) -> str:
    """``0 of 12 workers: 7 busy, 2 on holiday (ann, bob)``.

    `abouts`: of the workers that `decision` names, as far as they are there.
    """
    if not decision.workers:
        return 'its builder has no worker'
    head = f'{decision.able} of {_workers(decision.workers)}'
    if decision.able:
        head += ' could take it now'
    shown = list(decision.reasons.items())
    parts = [_group(decision, code, count, abouts, now) for code, count in shown[:APART]]
    rest = sum(count for _, count in shown[APART:])
    parts += [f'{rest} {LABELS[OTHER]}'] if rest else []
    parts += [f'{decision.unasked} {LABELS[UNASKED]}'] if decision.unasked else []
    return cut(f'{head}: {", ".join(parts)}' if parts else head, LONGEST)


def contradicted(decision: Decision, abouts: Mapping[str, About], now: float) -> bool:
    """What is known of the workers that it names is something else by now."""
    return any(
        abouts[name].contradicts(verdict.code, now)
        for name, verdict in decision.verdicts.items()
        if name in abouts
    )


def cut(text: str, longest: int) -> str:
    """Cleaned, and marked where something was taken off the end."""
    # nearly all texts are printable, and then there is nothing to clean
    text = ' '.join(text.split()) if text.isprintable() else clean(text, longest + 1)
    return text if len(text) <= longest else f'{text[: longest - 3].rstrip()}...'


def _of(decision: Decision, code: str) -> dict[str, Verdict]:
    """The verdicts that were counted under this code."""
    return {
        name: verdict
        for name, verdict in sorted(decision.verdicts.items())
        if code == (verdict.code if verdict.code in decision.reasons else OTHER)
    }


def _group(
    decision: Decision, code: str, count: int, abouts: Mapping[str, About], now: float
) -> str:
    named = list(_of(decision, code).items())[:NAMED]
    titles: dict[str, list[str]] = {}  # by what is said of them
    for name, verdict in named:
        about = abouts.get(name)
        detail = _detail(verdict, about, now)
        also = ', '.join(_also(decision, name, about, now))
        said = cut('; '.join(filter(None, [detail, also])), DETAIL)
        who = '' if code in _NAMELESS and not also else _title(name, code, about)
        titles.setdefault(said, []).append(who)
    parts = [_said(who, said) for said, who in titles.items()]
    inside = '; '.join(filter(None, parts))
    if inside and count > len(named):
        inside += ', ...'
    label = LABELS.get(code, clean(code, CODE))
    return f'{count} {label} ({inside})' if inside else f'{count} {label}'


def _said(titles: list[str], said: str) -> str:
    who = ', '.join(filter(None, titles))
    return f'{who}: {said}' if who and said else who or said


def _title(name: str, code: str, about: About | None) -> str:
    """The person, where it is the person's word."""
    owner = about.owner if about is not None and code in _MOODS else None
    return clean(owner or name, CODE)


def _detail(verdict: Verdict, about: About | None, now: float) -> str:
    code = verdict.code
    if code in _NO_MORE:
        return ''
    if code == Mood.RELUCTANT.label:
        return _reluctant(verdict, about, now)
    if code in PLAIN:
        obstacles = {} if about is None else about.obstacles(now)
        return obstacles[code] if code in obstacles else _in_brackets(verdict.sentence)
    silence = '' if about is None or code != 'load-unknown' else about.silence(now)
    return silence or str(verdict.sentence)


def _reluctant(verdict: Verdict, about: About | None, now: float) -> str:
    parts = ['' if about is None else about.word(now)]
    if verdict.again_at is not None:
        parts.append(f'takes it from {clock_text(verdict.again_at, now)} on')
    return ', '.join(filter(None, parts))


def _also(decision: Decision, name: str, about: About | None, now: float) -> Iterator[str]:
    """What else keeps it from this worker, so that one remedy is not the first of several."""
    code = decision.verdicts[name].code
    obstacles = {} if about is None else about.obstacles(now)
    for other, detail in obstacles.items():
        if other != code:
            yield f'also {LABELS[other]}' + (f' ({detail})' if detail else '')
    for verdict in decision.also.get(name, ()):
        if verdict.code == Mood.RELUCTANT.label:
            yield f'also reluctant ({_reluctant(verdict, about, now)})'
        elif verdict.code not in {code, 'lock', *PLAIN}:
            yield f'also {verdict.sentence}'


def _in_brackets(sentence: str) -> str:
    _, bracket, rest = str(sentence).partition('(')
    return rest[:-1] if bracket and rest.endswith(')') else ''


def _workers(count: int) -> str:
    return '1 worker' if count == 1 else f'{count} workers'
