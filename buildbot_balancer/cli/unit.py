# SPDX-License-Identifier: GPL-2.0-or-later
"""unit: what systemd needs to know to run a worker and its reporter."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import attrs
import click

from buildbot_balancer.cli import options
from buildbot_balancer.cli.basedir import check
from buildbot_balancer.cli.basedir import has_reporter
from buildbot_balancer.cli.basedir import shown
from buildbot_balancer.errors import NotAWorkerError

PROGRAM = 'buildbot-worker'
_TEMPLATE = """\
# A Buildbot worker with its reporter, as "buildbot-balancer unit" prints it.
# Put it into {folder}, as a file whose name ends with .service,
# and see that nothing else starts this worker.

[Unit]
Description=Buildbot worker in {description}
{after}
[Service]
# the reporter says when the worker is up, and that it is well
Type=notify
NotifyAccess=main
WatchdogSec=60
{user}WorkingDirectory={folder_of_worker}
ExecStart={program} start --nodaemon {basedir}
Restart=on-failure
RestartSec=10
# the worker first, then what its builds have left
KillMode=mixed
TimeoutStopSec=30
# builds give way to people
Nice={nice}
CPUWeight={weight}
IOWeight={weight}

[Install]
WantedBy={target}
"""
_NETWORK = 'After=network-online.target\nWants=network-online.target\n'


@click.command('unit')
@options.basedir
@click.option(
    '--nice',
    type=click.IntRange(0, 19),
    default=10,
    show_default=True,
    help='How far builds give way to other programs for a processor.',
)
@click.option(
    '--weight',
    type=click.IntRange(1, 100),
    default=20,
    show_default=True,
    help='Their share of processors and disks beside others, which have 100.',
)
@click.option('--of-user', is_flag=True, help='For "systemctl --user", without root.')
def command(basedir: Path, nice: int, weight: int, of_user: bool) -> None:
    """Print a systemd unit for the worker in BASEDIR and its reporter.

    Nothing is installed.
    """
    check(basedir)
    place = Path(os.path.realpath(basedir))
    if not has_reporter(place):
        raise NotAWorkerError(
            f'{shown(place)} has no reporter, and systemd would wait for one in vain: '
            f'run "buildbot-balancer attach {shown(place)}" first'
        )
    unit = _Unit(basedir=place, program=_program(), nice=nice, weight=weight, of_user=of_user)
    click.echo(unit.text(), nl=False)


@attrs.frozen(kw_only=True)
class _Unit:
    basedir: Path
    program: Path
    nice: int
    weight: int
    of_user: bool

    def text(self) -> str:
        """Raises NotAWorkerError for a folder that no unit can name."""
        for path in (self.basedir, self.program):
            if not str(path).isprintable() or str(path) != str(path).strip():
                raise NotAWorkerError(f'no unit can name a path such as {shown(path)!r}')
        return _TEMPLATE.format(
            folder='~/.config/systemd/user' if self.of_user else '/etc/systemd/system',
            description=_plain(self.basedir),
            after='' if self.of_user else _NETWORK,
            user='' if self.of_user else f'User={_user(self.basedir)}\n',
            folder_of_worker=_plain(self.basedir),
            program=_quoted(self.program),
            basedir=_quoted(self.basedir).replace('$', '$$'),
            nice=self.nice,
            weight=self.weight,
            target='default.target' if self.of_user else 'multi-user.target',
        )


def _plain(path: Path) -> str:
    return str(path).replace('%', '%%')


def _quoted(path: Path) -> str:
    """systemd.service(5), "Command lines"."""
    text = _plain(path).replace('\\', '\\\\').replace('"', '\\"')
    return f'"{text}"'


def _user(basedir: Path) -> str:
    """Whose folder it is: root is no user for builds, and a unit runs as root if it names none."""
    try:
        return basedir.owner()
    except (KeyError, NotImplementedError):
        return str(basedir.stat().st_uid)


def _program() -> Path:
    """The one of the environment in which this very program is installed."""
    beside = Path(sys.executable).parent / PROGRAM
    found = str(beside) if beside.exists() else shutil.which(PROGRAM)
    if found is None:
        raise NotAWorkerError(f'there is no {PROGRAM} beside {sys.executable}, nor in PATH')
    return Path(found).absolute()
