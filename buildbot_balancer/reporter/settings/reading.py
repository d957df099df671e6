# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading ``availability.toml``: the whole of it is checked, and every error is told."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable
from typing import Any

import attrs

from buildbot_balancer.availability.text import clean
from buildbot_balancer.reporter.settings import places
from buildbot_balancer.reporter.settings import values
from buildbot_balancer.reporter.settings.places import Path
from buildbot_balancer.reporter.settings.places import Places
from buildbot_balancer.reporter.settings.problem import Problem
from buildbot_balancer.reporter.settings.problem import SettingsError
from buildbot_balancer.reporter.settings.sections import SECTIONS
from buildbot_balancer.reporter.settings.sections import Outside
from buildbot_balancer.reporter.settings.sections import Publish
from buildbot_balancer.reporter.settings.sections import Section
from buildbot_balancer.reporter.settings.sections import Settings
from buildbot_balancer.reporter.settings.sections import WindowKeys
from buildbot_balancer.reporter.settings.sections import keys

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

WINDOW = 'window'
_TOP = keys(Settings)
_KNOWN = (*_TOP, *SECTIONS, WINDOW)
_AT = re.compile(r'(.*?) \(at (?:line (\d+), column \d+|end of document)\)', re.DOTALL)
_UNQUOTED = re.compile(
    r'[^=]*=\s*(?!true\b|false\b|inf\b|nan\b)(?:[A-Za-z~/]|\d[\d.]*\s*[A-Za-z:%])'
)


def read(text: str) -> Settings:
    """Raises SettingsError."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise SettingsError([_no_toml(str(e), text)]) from e
    except (RecursionError, ValueError) as e:  # a number of thousands of digits
        raise SettingsError([Problem(1, f'it is no TOML: {clean(str(e), 100)}')]) from e
    reader = _Reader(places.find(text))
    settings = reader.settings(table)
    if reader.problems:
        raise SettingsError(reader.problems)
    return settings


def _no_toml(said: str, text: str) -> Problem:
    match = _AT.fullmatch(said)
    lines = text.splitlines() or ['']
    number = min(int(match.group(2) or len(lines)) if match else 1, len(lines))
    why = clean(match.group(1) if match else said, 100)
    quotes = _UNQUOTED.match(lines[number - 1]) is not None
    hint = '; what is no number stands in quotes, such as "5m" or "eager"' if quotes else ''
    return Problem(number, f'it is no TOML: {why}{hint}')


class _Reader:
    def __init__(self, found: Places) -> None:
        self._places = found
        self.problems: list[Problem] = []

    def _complain(self, path: Path, sentence: str) -> None:
        said = clean(f'{_title(path)}{sentence}', 400)
        self.problems.append(Problem(self._places.line(path), said))

    def settings(self, table: dict[str, Any]) -> Settings:
        for name, found in table.items():
            if name not in _KNOWN:
                what = 'section' if isinstance(found, (dict, list)) else 'key'
                self._complain((name,), f'is no {what} that is known{_nearest(name, _KNOWN)}')
        given = self._values(Settings, table, ())
        for name, section in SECTIONS.items():
            if name in table:
                given[name] = self._section(section, table[name], (name,))
        outside, publish = given.pop('outside', None), given.pop('publish', None)
        windows = self._windows(table)
        if isinstance(outside, Outside):
            given['outside'] = outside.mood
        if isinstance(publish, Publish):
            given['details'] = publish.details
        made = Settings(**given, windows=tuple(one.window() for one in windows))
        if not self.problems:
            self._check_windows(made, told='outside' in table)
        return made

    def _section(self, section: type[Section], table: Any, at: Path) -> Section | None:
        """None where it has an error."""
        if not isinstance(table, dict):
            self._complain(at, f'must be a section of its own, [{at[0]}], and only once')
            return None
        known = keys(section)
        before = len(self.problems)
        for given in table:
            if given not in known:
                self._complain((*at, given), f'is no key that is known here{_hint(given, known)}')
        checked = self._values(section, table, at)
        for wanted, field in known.items():
            if field.default is attrs.NOTHING and wanted not in table:
                self._complain(at, f'needs {wanted}')
        if len(self.problems) > before:
            return None
        made = section(**checked)
        for wrong, sentence in made.complaints():
            self._complain((*at, wrong) if wrong else at, sentence)
        return None if len(self.problems) > before else made

    def _values(self, section: type[Section], table: dict[str, Any], at: Path) -> dict[str, Any]:
        """The good ones, by the names of their fields."""
        found = {}
        for name, field in keys(section).items():
            if name not in table:
                continue
            try:
                found[field.name] = field.metadata['check'](table[name])
            except values.BadValueError as e:
                self._complain((*at, name), str(e))
        return found

    def _windows(self, table: dict[str, Any]) -> list[WindowKeys]:
        tables = table.get(WINDOW, [])
        if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
            self._complain((WINDOW,), f'must be written [[{WINDOW}]], with two brackets each')
            return []
        read = [self._section(WindowKeys, one, (WINDOW, n)) for n, one in enumerate(tables)]
        return [one for one in read if isinstance(one, WindowKeys)]

    def _check_windows(self, made: Settings, *, told: bool) -> None:
        if told and not made.windows:
            self._complain(('outside',), f'needs at least one [[{WINDOW}]]')
        if made.windows and all(window.mood == made.outside for window in made.windows):
            self._complain(
                (WINDOW, 0),
                f'changes nothing, for outside it the mood is {made.outside.label} too'
                ' (say which one in [outside])',
            )


def _title(path: Path) -> str:
    """``[load] busy``"""
    first, *rest = [part for part in path if isinstance(part, str)]
    heads = {**dict.fromkeys(SECTIONS, f'[{first}]'), WINDOW: f'[[{WINDOW}]]'}
    return ' '.join([heads.get(first, first), *rest, ''])


def _hint(given: str, known: Iterable[str]) -> str:
    if given in _TOP:
        return f'; {given} stands above the first section'
    return _nearest(given, known)


def _nearest(given: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(given.lower(), known, n=1)
    if near:
        return f'; did you mean {near[0]}?'
    return f' (there are {", ".join(known)})'
