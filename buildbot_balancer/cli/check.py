# SPDX-License-Identifier: GPL-2.0-or-later
"""check: every error in a worker's availability.toml."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import attrs
import click

from buildbot_balancer.availability.text import clean
from buildbot_balancer.cli import options
from buildbot_balancer.cli.basedir import check
from buildbot_balancer.cli.basedir import shown
from buildbot_balancer.reporter.settings import store
from buildbot_balancer.reporter.settings.problem import Problem
from buildbot_balancer.reporter.settings.problem import SettingsError

ERRORS = 1  # the exit code where the file has errors


@click.command('check')
@options.basedir
@click.option('--json', 'as_json', is_flag=True, help='For programs.')
def command(basedir: Path, as_json: bool) -> None:
    """Show every error in the availability.toml in BASEDIR.

    Nothing is changed. The exit code is 0 where there is none, and 1 where there are some; until
    they are mended the last good file counts.
    """
    check(basedir)
    path = store.path(basedir)
    problems: Sequence[Problem] = ()
    try:
        found = store.load(basedir) is not None
    except SettingsError as e:
        found, problems = True, e.problems
    if as_json:
        click.echo(_json(path, found, problems))
    else:
        for line in _lines(path, found, problems):
            click.echo(line)
    click.get_current_context().exit(ERRORS if problems else 0)


def _json(path: Path, found: bool, problems: Sequence[Problem]) -> str:
    shows = {
        'file': str(path),
        'exists': found,
        'good': not problems,
        'problems': [attrs.asdict(problem) for problem in problems],
    }
    return json.dumps(shows, indent=1)


def _lines(path: Path, found: bool, problems: Sequence[Problem]) -> list[str]:
    name = shown(path)
    if not found:
        return [f'{name}: there is none, and none is needed']
    if not problems:
        return [f'{name}: good']
    return [clean(f'{name}:{problem.line}: {problem.sentence}', 1000) for problem in problems]
