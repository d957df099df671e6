# SPDX-License-Identifier: GPL-2.0-or-later
"""Story: a dozen requests, and what the owners of the machines say meanwhile."""

from __future__ import annotations

import attrs

from demo.api import ApiError
from demo.drain import Drain
from demo.errors import DemoError
from demo.facts import REFUSALS
from demo.facts import Drained
from demo.facts import Facts
from demo.facts import Since
from demo.scene import RUNS
from demo.scene import WAITS
from demo.scene import Scene
from demo.scene import status
from demo.site import PROTOCOLS
from demo.stage import Stage

STEADY, RELUCTANT, HOLIDAY, DRAINED = PROTOCOLS
HEARD = 1.0  # seconds in which an owner's word reaches the master's decisions
LONG = 90.0  # seconds; it is over much sooner on a machine that is not overloaded
DRAIN_OPTIONS = ('--timeout', '100s', '--reason', 'moving house')


@attrs.define
class Story:
    stage: Stage
    requests: list[int] = attrs.field(factory=list)

    def tell(self) -> Facts:
        """Raises DemoError or StoppedError where it cannot be told to its end."""
        self._everybody_is_eager()
        drain = self._owners_speak()
        self.stage.pause(HEARD)
        reluctant, holiday = Since(RELUCTANT, self._decided), Since(HOLIDAY, self._decided)
        self._await_drain(drain)
        drained = self._drained()
        self._complete()
        quiet = self._quiet_moment()
        drained = self._resume(drained)
        self._complete()
        why = self._nobody_is_willing()
        self._complete()
        return Facts(
            requests=tuple(self.requests),
            quiet=quiet,
            decisions=tuple(self.stage.site.decisions.look()),
            scene=self._fresh(),
            reluctant=reluctant,
            holiday=holiday,
            drained=drained,
            protocols=PROTOCOLS,
            page=self._page(),
            why=why,
        )

    def _everybody_is_eager(self) -> None:
        self.stage.until(
            lambda: self._connected() == len(PROTOCOLS),
            LONG,
            'The workers did not report to the master.',
        )
        self.stage.say('All four workers have reported, their owners are eager.')
        first = self._submit(4)
        self._leave_queue(first)

    def _connected(self) -> int:
        return sum(row.connected for row in self.stage.scene.workers)

    def _owners_speak(self) -> Drain:
        self._submit(4)
        reluctant = ('reluctant', '--reason', 'in a video call', '--until', '2h')
        holiday = ('going-on-holiday', '--reason', 'skiing', '--until', '3d')
        self._owner_says(RELUCTANT, 'set', *reluctant)
        self._owner_says(HOLIDAY, 'set', *holiday)
        self._tell_command(DRAINED, 'drain', '--wait', *DRAIN_OPTIONS)
        return self.stage.site.drain(DRAINED, *DRAIN_OPTIONS)

    def _await_drain(self, drain: Drain) -> None:
        self.stage.until(
            lambda: drain.code is not None, LONG, f'drain --wait of {DRAINED} did not return.'
        )
        last = drain.said[-1].rpartition(f'{DRAINED}: ')[2] if drain.said else ''
        if drain.code != 0:
            raise DemoError(f'drain --wait of {DRAINED} ended with {drain.code}: {last}')
        self.stage.say(f'{DRAINED}: drain --wait has returned 0: {last}')

    def _drained(self) -> Drained:
        decided = self._decided
        seen = self._fresh()
        running = [b.request for b in seen.builds if b.worker == DRAINED and not b.complete]
        built = frozenset(seen.built_on(DRAINED))
        return Drained(
            worker=DRAINED,
            decisions=decided,
            decisions_at_resume=decided,
            running=tuple(running),
            built=built,
            built_at_resume=built,
        )

    def _quiet_moment(self) -> int:
        """One request for an eager and a reluctant machine that are both idle."""
        folder = self.stage.site.folder
        self.stage.until(
            lambda: all(status(folder / one)['running'] == 0 for one in (STEADY, RELUCTANT)),
            LONG,
            f'The master still counts builds on {STEADY} or {RELUCTANT}.',
        )
        self.stage.say(f'{STEADY} (eager) and {RELUCTANT} (reluctant) are both idle.')
        quiet = self._submit(1)
        self._leave_queue(quiet)
        return quiet[0]

    def _resume(self, drained: Drained) -> Drained:
        """While requests wait, so that one can be seen to start at once."""
        more = self._submit(3)
        self._leave_queue(more[:1])
        seen = self._fresh()
        done = attrs.evolve(
            drained,
            decisions_at_resume=self._decided,
            built_at_resume=frozenset(seen.built_on(DRAINED)),
        )
        self._owner_says(DRAINED, 'resume')
        return done

    def _nobody_is_willing(self) -> str:
        """One request waits for all owners; what there is to be read of it."""
        for name, reason in REFUSALS.items():
            self._owner_says(name, 'set', 'offline', '--reason', reason)
        self.stage.until(self._all_refuse, LONG, 'The master did not hear the owners.')
        (request,) = self._submit(1)
        self.stage.say(f'$ buildbot-balancer why {request} --url {self.stage.site.url}')
        said = self.stage.why(request)
        for line in said.splitlines():
            self.stage.say(f'  {line}')
        self._owner_says(STEADY, 'resume')
        return said

    def _all_refuse(self) -> bool:
        try:
            moods = self.stage.site.api.moods()
        except ApiError as e:
            raise DemoError(str(e)) from e
        return set(moods.values()) <= {'offline', 'going-on-holiday'}

    def _submit(self, count: int) -> list[int]:
        made = self.stage.submit(count)
        self.requests.extend(made)
        numbers = f'{made[0]} to {made[-1]}' if count > 1 else str(made[0])
        self.stage.say(f'Submitted: request{"s" if count > 1 else ""} {numbers}.')
        return made

    def _owner_says(self, name: str, command: str, *more: str) -> None:
        self._tell_command(name, command, *more)
        self.stage.owner_says(name, command, *more)

    def _tell_command(self, name: str, command: str, *more: str) -> None:
        words = [f'"{word}"' if ' ' in word else word for word in more]
        self.stage.say(f'{name}$ ' + ' '.join(['buildbot-balancer', command, name, *words]))

    def _leave_queue(self, requests: list[int]) -> None:
        numbers = ', '.join(map(str, requests))
        self.stage.until(
            lambda: WAITS not in self.stage.scene.states(requests),
            LONG,
            f'Not all of these requests started: {numbers}.',
        )

    def _complete(self) -> None:
        self.stage.until(
            lambda: not {WAITS, RUNS} & {*self.stage.scene.states(self.requests)},
            LONG,
            'Not all requests came to an end.',
        )

    @property
    def _decided(self) -> int:
        return len(self.stage.site.decisions.look())

    def _fresh(self) -> Scene:
        try:
            return self.stage.look()
        except ApiError as e:
            raise DemoError(str(e)) from e

    def _page(self) -> bool:
        try:
            api = self.stage.site.api
            return '<html' in api.page() and 'alancer' in api.plugin()
        except ApiError:
            return False
