# SPDX-License-Identifier: GPL-2.0-or-later
"""Packaging of buildbot-balancer.

The base install is what a worker's host needs: it does not pull in Buildbot's master.
"""

import re
from pathlib import Path

from setuptools import find_packages
from setuptools import setup

HERE = Path(__file__).parent
VERSION = re.search(
    r"^__version__ = '([^']+)'$", (HERE / 'buildbot_balancer/__init__.py').read_text(), re.MULTILINE
).group(1)


def entries(module: str, *names: str) -> 'list[str]':
    return [f'{name} = buildbot_balancer.{module}:{name}' for name in names]


MASTER = ['buildbot>=4.3', 'alembic>=1.8', 'prometheus-client>=0.16', 'sqlalchemy>=1.4']
WORKER = ['buildbot-worker>=4.3', 'psutil>=5.9']
DOCS = ['sphinx>=7']

setup(
    name='buildbot-balancer',
    version=VERSION,
    description="Runs Buildbot's builds on machines that are willing and not busy",
    long_description=(HERE / 'README.rst').read_text(),
    long_description_content_type='text/x-rst',
    license='GPL-2.0-or-later',
    python_requires='>=3.9',
    packages=find_packages(include=['buildbot_balancer', 'buildbot_balancer.*']),
    package_data={
        'buildbot_balancer': ['py.typed'],
        'buildbot_balancer.reporter.page': ['static/*'],
        'buildbot_balancer.www.page': ['VERSION', 'static/*'],
    },
    install_requires=[
        'attrs>=22.2',
        'click>=8',
        'requests>=2.28',
        'rich>=13',
        'tomli>=2; python_version < "3.11"',  # later Pythons have it as tomllib
        'tzdata; sys_platform == "win32"',  # which has no time zones of its own
        'zope.interface>=5',
    ],
    extras_require={
        'master': MASTER,
        'worker': WORKER,
        'docs': DOCS,
        'test': [
            *MASTER,
            *WORKER,
            *DOCS,
            'buildbot-www>=4.3',
            'hypothesis>=6.100',
            'mypy>=1.10',
            'mypy-zope>=1.0.5',
            'parameterized>=0.9',
            'playwright>=1.40',
            'psycopg2-binary>=2.9',
            'pymysql>=1.0',
            'pytest>=8',
            'pytest-xdist>=3.5',
            'ruff~=0.17.6',  # each release brings rules; all are on here
            'types-psutil',
            'types-requests',
        ],
    },
    entry_points={
        'console_scripts': ['buildbot-balancer = buildbot_balancer.cli.main:main'],
        'buildbot.steps': entries('steps.group', 'StepGroup'),
        'buildbot.www': ['balancer = buildbot_balancer.www.page.application:ep'],
        'buildbot.util': [
            *entries('master.balancer', 'Balancer'),
            *entries('master.configurator', 'BalancerConfigurator'),
            *entries('master.callables', 'nextAvailableWorker', 'canStartWhenAvailable'),
            *entries('policy.policy', 'Policy', 'default_filters', 'default_scorers'),
            *entries('policy.verdict', 'Verdict'),
            *entries(
                'policy.filters',
                'ChosenWorker',
                'Connected',
                'Filter',
                'HasCapacity',
                'LocksFree',
                'MaxLoad',
                'Willing',
            ),
            *entries('availability.schedule', 'Availability'),
            *entries('master.workers.hours', 'Window'),
            *entries('locks.branch', 'BranchLock'),
            *entries('locks.group', 'WorkerGroupLock'),
            *entries('locks.shared', 'SharedMasterLock'),
            *entries('policy.affinity', 'Affinity'),
            *entries('policy.capable', 'Capable'),
            *entries('policy.fastest', 'FastestFirst'),
            *entries('policy.gate', 'Gate'),
            *entries('policy.tiers', 'Tiers'),
            *entries('www.authz', 'BalancerControlEndpointMatcher'),
            *entries(
                'policy.scorers',
                'EagerFirst',
                'FewestBuilds',
                'LeastLoaded',
                'RunningBeforeLatent',
            ),
        ],
    },
    classifiers=[
        'Development Status :: 4 - Beta',
        'Environment :: Plugins',
        'Framework :: Twisted',
        'Intended Audience :: System Administrators',
        'Operating System :: OS Independent',
        'Programming Language :: Python :: 3',
        *(f'Programming Language :: Python :: 3.{minor}' for minor in range(9, 14)),
        'Topic :: Software Development :: Build Tools',
    ],
)
