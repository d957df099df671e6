# SPDX-License-Identifier: GPL-2.0-or-later
"""BalancerConfigurator: the service and the checks that need the whole config, in one line."""

from __future__ import annotations

from typing import Any

from buildbot import config
from buildbot.interfaces import IConfigurator
from zope.interface import implementer

from buildbot_balancer.master import checks
from buildbot_balancer.master.balancer import Balancer


@implementer(IConfigurator)
class BalancerConfigurator:
    """``c['configurators'] = [util.BalancerConfigurator()]``, after configurators that add
    builders or workers; takes the arguments of util.Balancer.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._args = args
        self._kwargs = kwargs

    def configure(self, config_dict: dict[str, Any]) -> None:
        services = config_dict.setdefault('services', [])
        if not isinstance(services, list):
            # at once: Buildbot itself would go on and trip over it
            config.error(f"c['services'] must be a list, not {services!r}", always_raise=True)
        problems = Balancer.problems(*self._args, **self._kwargs)
        if any(isinstance(service, Balancer) for service in services):
            problems.append("c['services'] has a util.Balancer already; keep one of them")
        if not problems:
            service = Balancer(*self._args, **self._kwargs)
            problems = list(checks.against_config(service.planned(), checks.names_in(config_dict)))
            services.append(service)
        for problem in problems:
            config.error(f'util.BalancerConfigurator: {problem}')
