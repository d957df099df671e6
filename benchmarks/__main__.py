# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m benchmarks``: the tables on standard output, progress on standard error."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import attrs

from benchmarks import machine
from benchmarks import table
from benchmarks.errors import BenchmarkError
from benchmarks.medians import medians
from benchmarks.plan import SCENARIOS
from benchmarks.plan import SIDES
from benchmarks.plan import Plan
from benchmarks.runner import Runner
from benchmarks.size import Size
from benchmarks.suite import Suite
from benchmarks.table import Run


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    suite = Suite(
        sizes=arguments.sizes,
        sides=[arguments.only] if arguments.only else SIDES,
        scenarios=arguments.scenarios or SCENARIOS,
        starts=arguments.starts,
        seconds=arguments.seconds,
        reporter=arguments.reporter,
        profile=arguments.profile and str(Path(arguments.profile).absolute()),
    )
    if suite.profile and len(suite.plans()) != 1:
        say('--profile takes one measurement: name it by --only, --scenarios and --sizes')
        return 2
    described = machine.describe()
    # as Ctrl-C does: the process that measures ends, too, and its folder
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    runs: list[Run] = []
    code = measure(suite.plans(), arguments.repeat, runs)
    sys.stdout.write(table.text(runs) + '\n')
    if arguments.json:
        values = {'machine': described, 'runs': [attrs.asdict(run) for run in runs]}
        Path(arguments.json).write_text(json.dumps(values, indent=1) + '\n', encoding='utf-8')
    return code


def measure(plans: Sequence[Plan], repeat: int, runs: list[Run]) -> int:
    """Adds to `runs`, so that one that fails costs its own figures only; the exit code."""
    code = 0
    with contextlib.closing(Runner(say)) as runner:
        for number, plan in enumerate(plans, 1):
            say(f'{number} of {len(plans)}: {plan}')
            try:
                runs.append(Run(plan, medians([runner.run(plan) for _ in range(repeat)])))
            except BenchmarkError as e:
                say(str(e))
                code = 1
            except KeyboardInterrupt:
                say('stopped; the figures so far:')
                return 130
    return code


def say(line: str) -> None:
    sys.stderr.write(f'benchmarks: {line}\n')
    sys.stderr.flush()


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog='python -m benchmarks', description=__doc__)
    made.add_argument(
        '--sizes',
        type=_size,
        nargs='+',
        metavar='B/W/P',
        help='builders/workers/pending of the drains and floors, such as 100/10/1,000',
    )
    made.add_argument('--only', choices=SIDES, help='one distributor instead of both')
    made.add_argument(
        '--scenarios', choices=SCENARIOS, nargs='+', metavar='NAME', help=', '.join(SCENARIOS)
    )
    made.add_argument('--starts', type=_count, default=100, help='counted, after a warm-up')
    made.add_argument(
        '--seconds', type=_count, default=60, help='no phase of a measurement is longer'
    )
    made.add_argument(
        '--reporter', type=_count, default=600, help='seconds for which a reporter is watched'
    )
    made.add_argument('--repeat', type=_count, default=1, help='of each, and take medians')
    made.add_argument('--json', metavar='FILE', help='write the figures there, too')
    made.add_argument(
        '--profile', metavar='FILE', help='cProfile of the counted part of one drain or calm run'
    )
    return made


def _size(text: str) -> Size:
    try:
        return Size.parse(text)
    except ValueError as e:
        raise argparse.ArgumentTypeError(str(e)) from None


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text!r} is not a number above 0')
    return int(text)


if __name__ == '__main__':
    sys.exit(main())
