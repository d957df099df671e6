# SPDX-License-Identifier: GPL-2.0-or-later
"""Promise: what the demo says of buildbot-balancer, checked against what was seen. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Callable

import attrs

from demo.facts import REFUSALS
from demo.facts import Facts
from demo.facts import Since
from demo.scene import SUCCESS


@attrs.frozen
class Promise:
    """`broken_by` yields a sentence for each thing seen that contradicts `text`."""

    text: str
    broken_by: Callable[[Facts], Iterator[str]]


def _all_succeed(facts: Facts) -> Iterator[str]:
    states = facts.scene.states(list(facts.requests))
    for request, state in zip(facts.requests, states):
        if state != SUCCESS:
            yield f'Request {request} did not succeed: {state}.'


def _as_decided(facts: Facts) -> Iterator[str]:
    decided = {(one.request, one.worker) for one in facts.decisions}
    for build in facts.scene.builds:
        if (build.request, build.worker) not in decided:
            yield f'Request {build.request} ran on {build.worker}, and no decision says so.'


def _after(facts: Facts, since: Since) -> Iterator[int]:
    """Requests that were put on the worker although the master knew."""
    return (one.request for one in facts.decisions[since.decisions :] if one.worker == since.worker)


def _holiday_heeded(facts: Facts) -> Iterator[str]:
    name = facts.holiday.worker
    before = {one.request for one in facts.decisions[: facts.holiday.decisions]}
    late = {*_after(facts, facts.holiday), *(facts.scene.built_on(name) - before)}
    for request in sorted(late):
        yield f'Request {request} started on {name} after its owner had gone on holiday.'


def _drain_kept(facts: Facts) -> Iterator[str]:
    drained = facts.drained
    for request in drained.running:
        yield f'Request {request} still ran on {drained.worker} when drain --wait had returned 0.'
    during = facts.decisions[drained.decisions : drained.decisions_at_resume]
    started = {one.request for one in during if one.worker == drained.worker}
    for request in sorted(started | (drained.built_at_resume - drained.built)):
        yield f'Request {request} started on {drained.worker} after drain --wait had returned 0.'


def _resumed(facts: Facts) -> Iterator[str]:
    name = facts.drained.worker
    if not facts.scene.built_on(name) - facts.drained.built_at_resume:
        yield f'{name} got no build after its owner had resumed.'


def _eager_first(facts: Facts) -> Iterator[str]:
    name = facts.reluctant.worker
    others = [one for one in facts.protocols if one != name]
    for one in facts.decisions[facts.reluctant.decisions :]:
        free = [other for other in others if not one.names(other)]
        if one.worker == name and free:
            yield (
                f'Request {one.request} started on {name}, which was reluctant, '
                f'although {" and ".join(free)} could have taken it.'
            )
    if facts.quiet in facts.scene.built_on(name):
        yield f'Request {facts.quiet} started on {name}, which was reluctant, in a quiet moment.'


def _reluctant_helps(facts: Facts) -> Iterator[str]:
    if not any(_after(facts, facts.reluctant)):
        yield f'{facts.reluctant.worker}, which was reluctant, did not help out.'


def _both_protocols(facts: Facts) -> Iterator[str]:
    used = {facts.protocols[b.worker] for b in facts.scene.builds if b.complete}
    for protocol in sorted(set(facts.protocols.values()) - used):
        yield f'Nothing was built over {protocol}.'


def _page_served(facts: Facts) -> Iterator[str]:
    if not facts.page:
        yield "The master did not serve its web UI with the Balancer's page."


def _explained(facts: Facts) -> Iterator[str]:
    for part in (*REFUSALS.values(), facts.holiday.worker):
        if part not in facts.why:
            yield f'"why" did not name "{part}": {facts.why}'


PROMISES = (
    Promise('Each request succeeded.', _all_succeed),
    Promise('Each build ran where a decision in the log had put it.', _as_decided),
    Promise('Nothing started on a machine whose owner was on holiday.', _holiday_heeded),
    Promise('Nothing ran on a machine after "drain --wait" had returned 0.', _drain_kept),
    Promise('After "resume" the machine was used again.', _resumed),
    Promise('No reluctant machine was taken while an eager one was free.', _eager_first),
    Promise('The reluctant machine helped out when no eager one was free.', _reluctant_helps),
    Promise('Workers on PB and on msgpack were used.', _both_protocols),
    Promise("The web UI was served, with the Balancer's page.", _page_served),
    Promise('"why" named each owner for whom a request waited.', _explained),
)
