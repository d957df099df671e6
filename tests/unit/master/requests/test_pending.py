# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import json

from buildbot.util import UTC
from buildbot.util import epoch2datetime
from buildbot.util import toJson
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.requests.pending import Pending
from buildbot_balancer.master.requests.pending import by_priority_then_age

NOW = 1_800_000_000


def message(**more):
    return {
        'buildrequestid': 7,
        'builderid': 3,
        'buildsetid': 5,
        'priority': 2,
        'submitted_at': epoch2datetime(NOW),
        'waited_for': 1,
        **more,
    }


class Messages(SynchronousTestCase):
    def test_an_event_is_read_as_it_is_sent_and_after_its_way_through_json(self):
        wanted = Pending(7, 3, 5, 2, NOW, waited_for=True)
        self.assertEqual(Pending.from_message(message()), wanted)
        sent = json.loads(json.dumps(message(), default=toJson))
        self.assertEqual(Pending.from_message(sent), wanted)

    def test_the_time_is_of_the_epoch_wherever_the_master_is(self):
        at = epoch2datetime(NOW).astimezone(UTC)
        self.assertEqual(Pending.from_message(message(submitted_at=at)).submitted_at, NOW)

    def test_what_is_no_request_raises_what_is_documented(self):
        short = message()
        del short['priority']
        for bad in (None, {}, short, message(builderid='x'), message(submitted_at=None)):
            with self.assertRaises((LookupError, TypeError, ValueError)):
                Pending.from_message(bad)


class Order(SynchronousTestCase):
    def test_the_highest_priority_is_first_then_the_oldest(self):
        one, two = Pending(1, 1, 1, 0, 10, False), Pending(2, 1, 1, 0, 9, False)
        urgent = Pending(3, 1, 1, 5, 99, False)
        self.assertEqual(sorted([one, two, urgent], key=by_priority_then_age), [urgent, two, one])
