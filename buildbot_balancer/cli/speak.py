# SPDX-License-Identifier: GPL-2.0-or-later
"""Speak: puts the owner's word into the folders, and says what came of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import click

from buildbot_balancer.cli import options
from buildbot_balancer.cli.basedir import caution
from buildbot_balancer.cli.basedir import shown
from buildbot_balancer.errors import StoreError
from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.word import Word


def save(words: Mapping[Path, Word]) -> None:
    """Into all folders, also where one of them fails; raises StoreError of the first that did."""
    failed: list[StoreError] = []
    for basedir, said in words.items():
        try:
            word.save(basedir, said)
        except StoreError as e:
            failed.append(e)
    if failed:
        raise failed[0]


def confirm(words: Mapping[Path, Word]) -> None:
    now = time.time()
    for basedir, said in words.items():
        click.echo(f'{shown(basedir)}: {options.described(said, now)}')
        note = caution(basedir)
        if note is not None:
            click.echo(note, err=True)
