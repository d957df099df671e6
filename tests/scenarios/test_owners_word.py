# SPDX-License-Identifier: GPL-2.0-or-later
"""What an owner has said outlives processes, ends when it was to end, and is heard soon."""

from __future__ import annotations

import time

import pytest
from support.drains import FREE
from support.farm import Farm
from support.farm import on_both_protocols
from twisted.trial.unittest import SynchronousTestCase

HEARD_WITHIN = 10.0  # seconds, on a busy machine; the design's goal is 1


def refuse(farm: Farm) -> None:
    """Says no, and waits until the master has heard it; `set` alone does not wait."""
    assert farm.drain().code() == FREE


class OwnersWord(SynchronousTestCase):
    @pytest.mark.slow
    @on_both_protocols
    def test_it_outlives_restarts_of_worker_and_master(self, farm: Farm) -> None:
        farm.start()
        farm.diary.let_go()
        farm.worker.say('set', 'offline', '--reason', 'moving house')
        farm.worker.stop()
        farm.worker.start()
        farm.request()
        farm.until_heard()
        farm.diary.stays_silent(1)
        farm.master.stop()
        farm.master.start()
        farm.until_heard()
        farm.diary.stays_silent(1)
        said = farm.status(farm.worker)
        assert (said['mood'], said['reason']) == ('offline', 'moving house')
        assert said['connected']
        farm.worker.say('set', 'reluctant')
        farm.diary.wait_for_start()

    @on_both_protocols
    def test_it_ends_by_itself_and_what_waited_starts_with_no_other_event(self, farm: Farm) -> None:
        farm.start()
        farm.diary.let_go()
        refuse(farm)
        said = time.time()
        farm.worker.say('set', 'offline', '--until', '5s')
        farm.request()
        farm.diary.wait_for_start()
        begun = min(farm.diary.entries('start').values())
        assert begun >= said + 4, begun - said  # moments are whole seconds
        print(f'{farm.proto}: --until 5s started a build after {begun - said:.2f} s')  # noqa: T201

    @on_both_protocols
    def test_a_change_reaches_a_running_master_s_decision_soon(self, farm: Farm) -> None:
        farm.start()
        farm.diary.let_go()
        refuse(farm)
        farm.request(60)
        farm.diary.stays_silent(1)
        said = time.time()
        farm.worker.say('set', 'eager')
        farm.diary.wait_for_start(3)
        begun = min(farm.diary.entries('start').values()) - said
        said = time.time()
        farm.worker.say('set', 'offline')
        told = time.time() - said
        farm.diary.falls_silent(HEARD_WITHIN, 1.5)
        ended = max(farm.diary.entries('start').values()) - said
        assert farm.pending(), 'there was nothing left to start'
        print(  # noqa: T201
            f'{farm.proto}: a build started {begun:.2f} s after "eager", '
            f'the last one {ended:.2f} s after "offline" (the command took {told:.2f} s)'
        )
        assert begun < HEARD_WITHIN
        assert ended < HEARD_WITHIN


@pytest.mark.slow
class OwnersWordWhileSomethingIsDown(SynchronousTestCase):
    @on_both_protocols
    def test_it_ends_while_the_worker_is_down(self, farm: Farm) -> None:
        farm.start()
        farm.diary.let_go()
        refuse(farm)
        farm.worker.say('set', 'offline', '--until', '3s')
        farm.request()
        farm.worker.kill()
        time.sleep(3.5)
        assert farm.diary.started == 0
        farm.worker.start()
        farm.diary.wait_for_start()

    @on_both_protocols
    def test_it_ends_while_the_connection_is_away(self, farm: Farm) -> None:
        farm.start()
        farm.diary.let_go()
        refuse(farm)
        farm.worker.say('set', 'offline', '--until', '4s')
        farm.request()
        farm.wire.refuse()
        time.sleep(4.5)
        assert farm.diary.started == 0
        farm.wire.heal()
        farm.diary.wait_for_start()

    @on_both_protocols
    def test_it_ends_soon_after_a_master_has_started_again(self, farm: Farm) -> None:
        farm.start()
        farm.diary.let_go()
        refuse(farm)
        said = time.time()
        farm.worker.say('set', 'offline', '--until', '12s')
        farm.request()
        farm.master.kill()
        farm.master.start()
        farm.diary.wait_for_start()
        assert min(farm.diary.entries('start').values()) >= said + 11.5

    @on_both_protocols
    def test_a_damaged_file_is_no_permission(self, farm: Farm) -> None:
        farm.start()
        farm.diary.let_go()
        refuse(farm)
        farm.worker.say('set', 'offline')
        (farm.worker.basedir / 'availability').write_bytes(b'\xff\x00mood: ???\n')
        farm.request()
        farm.diary.stays_silent(2)
        farm.master.kill()
        farm.worker.kill()
        farm.worker.start(wait=False)
        farm.master.start()
        farm.until_heard()
        farm.diary.stays_silent(2)
        assert farm.status(farm.worker)['mood'] == 'offline'
        farm.worker.say('resume')
        farm.diary.wait_for_start()
