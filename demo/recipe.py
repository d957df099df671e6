# SPDX-License-Identifier: GPL-2.0-or-later
"""Recipe: the master.cfg of the demo."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from string import Template

import attrs

from demo.repository import BRANCH

BUILDER = 'demo'
SCHEDULER = 'force'
TEXT = Template("""\
from buildbot.plugins import schedulers, steps, util, worker


class Loopback(int):
    # Buildbot takes a bare port for msgpack and would listen on all interfaces
    def __format__(self, spec):
        return f'{int(self)}:interface=127.0.0.1'


c = BuildmasterConfig = {}
c['title'] = 'Balancer demo'
c['buildbotURL'] = 'http://127.0.0.1:$www/'
c['buildbotNetUsageData'] = None
c['db'] = {'db_url': 'sqlite:///state.sqlite'}
c['protocols'] = {
    'pb': {'port': 'tcp:$pb:interface=127.0.0.1'},
    'msgpack_experimental_v7': {'port': Loopback($msgpack)},
}
c['www'] = {'port': 'tcp:$www:interface=127.0.0.1'}  # the configurator adds the page

names = $names
c['workers'] = [worker.Worker(name, 'pw', max_builds=1) for name in names]

factory = util.BuildFactory([
    steps.Git(repourl=$repository, branch='$branch', mode='full', method='clobber'),
    steps.ShellCommand(name='make', command=['make'], haltOnFailure=True),
])
c['builders'] = [
    util.BuilderConfig(
        name='$builder', workernames=names, factory=factory, collapseRequests=False
    )
]
c['schedulers'] = [schedulers.ForceScheduler(name='$scheduler', builderNames=['$builder'])]

c['configurators'] = [util.BalancerConfigurator()]
""")


@attrs.frozen
class Ports:
    pb: int
    msgpack: int
    www: int


def config(ports: Ports, names: Iterable[str], repository: Path) -> str:
    return TEXT.substitute(
        attrs.asdict(ports),
        names=repr(list(names)),
        repository=repr(str(repository)),
        branch=BRANCH,
        builder=BUILDER,
        scheduler=SCHEDULER,
    )
