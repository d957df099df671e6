# SPDX-License-Identifier: GPL-2.0-or-later
"""Recipe: the master.cfg that all masters of a cluster share, but for their names and ports."""

from __future__ import annotations

from string import Template

import attrs

SCHEDULER = 'force-'  # and the master's name: two masters cannot have one scheduler
TEXT = Template("""\
from buildbot.plugins import schedulers, steps, util, worker

c = BuildmasterConfig = {}
c['title'] = 'Cluster: $name'
c['buildbotURL'] = 'http://127.0.0.1:$www/'
c['buildbotNetUsageData'] = None
c['multiMaster'] = True
c['db'] = {'db_url': '$database'}
c['mq'] = {'type': 'wamp', 'router_url': '$router', 'realm': '$realm'}
c['protocols'] = {'pb': {'port': 'tcp:$pb:interface=127.0.0.1'}}
c['www'] = {'port': 'tcp:$www:interface=127.0.0.1'}

names = $workers
c['workers'] = [worker.Worker(name, 'pw', max_builds=1, missing_timeout=0) for name in names]

locks = []
shown = []  # what a job notes of the locks that its build holds
$locks


@util.renderer
def request(props):
    return str(props.getBuild().requests[0].id)


factory = util.BuildFactory([
    steps.ShellCommand(
        name='job',
        command=[*$job, util.Property('workername'), request, *shown],
        logEnviron=False,
    )
])
$builders
c['schedulers'] = [
    schedulers.ForceScheduler(
        name='$scheduler$name',
        builderNames=[one.name for one in c['builders']],
    )
]
$balancer
""")
BUILDERS = """\
c['builders'] = [
    util.BuilderConfig(
        name=name, workernames=names, factory=factory, locks=locks, collapseRequests=False
    )
    for name in ['b1', 'b2']
]
"""
SHARED = """\
host = util.WorkerGroupLock(
    'host', maxCount=2, workerToGroup=dict.fromkeys(names, 'esx'), shared=True
)
version = util.BranchLock('version', shared=True)
locks += [host.access('counting'), version.access('exclusive')]
shown += ['host', util.Interpolate('version/%(src::branch)s')]
"""


def balancer(lease: float) -> str:
    """`lease`: seconds after which a dead master's units are others'."""
    return f"c['configurators'] = [util.BalancerConfigurator(lease={lease:g})]"


@attrs.frozen(kw_only=True)
class Recipe:
    """`locks` and `builders` are Python of the master.cfg."""

    workers: tuple[str, ...]
    job: list[str]
    router: str
    realm: str
    locks: str = ''
    builders: str = BUILDERS
    lease: float

    def config(self, name: str, database: str, pb: int, www: int) -> str:
        return TEXT.substitute(
            name=name,
            database=database,
            router=self.router,
            realm=self.realm,
            pb=pb,
            www=www,
            workers=repr(list(self.workers)),
            job=repr(self.job),
            locks=self.locks,
            builders=self.builders,
            scheduler=SCHEDULER,
            balancer=balancer(self.lease),
        )
