# SPDX-License-Identifier: GPL-2.0-or-later
"""BalancerConfigurator: the service and the checks that need the whole config, in one line."""

from __future__ import annotations

import warnings
from typing import Any

from buildbot import config
from buildbot.interfaces import IConfigurator
from buildbot.warnings import ConfigWarning
from zope.interface import implementer

from buildbot_balancer.locks import checks as locks
from buildbot_balancer.locks.outline import Outline
from buildbot_balancer.master import checks
from buildbot_balancer.master.balancer import Balancer

TITLE = 'util.BalancerConfigurator'
PAGE = 'balancer'  # in c['www']['plugins']


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
        _add_page(config_dict)
        outline = Outline.of(config_dict)
        for problem in (*self._add_to(services, outline), *locks.problems(outline)):
            config.error(f'{TITLE}: {problem}')
        for warning in locks.warnings(outline):
            # as Buildbot's own: checkconfig prints it and goes on, a master logs it
            warnings.warn(f'{TITLE}: {warning}', category=ConfigWarning, stacklevel=1)

    def _add_to(self, services: list[Any], outline: Outline) -> list[str]:
        """What is wrong with the arguments."""
        problems = Balancer.problems(*self._args, **self._kwargs)
        if any(isinstance(service, Balancer) for service in services):
            problems.append("c['services'] has a util.Balancer already; keep one of them")
        if problems:
            return problems
        service = Balancer(*self._args, **self._kwargs)
        services.append(service)
        return list(checks.against_config(service.planned(), checks.names_of(outline)))


def _add_page(config_dict: dict[str, Any]) -> None:
    """Buildbot loads a page only where the config names it. What is no dict Buildbot refuses."""
    www = config_dict.get('www')
    plugins = www.get('plugins', {}) if isinstance(www, dict) else None
    if isinstance(plugins, dict) and PAGE not in plugins:
        config_dict['www'] = {**(www or {}), 'plugins': {**plugins, PAGE: {}}}
