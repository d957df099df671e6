# SPDX-License-Identifier: GPL-2.0-or-later
"""What is fetched is what Buildbot would have made, for fewer queries."""

from __future__ import annotations

from buildbot.process.buildrequest import BuildRequest
from buildbot.test import fakedb
from buildbot.test.fake import fakemaster
from buildbot.test.reactor import TestReactorMixin
from buildbot.util.twisted import async_to_deferred
from twisted.internet import defer
from twisted.trial.unittest import TestCase

from buildbot_balancer.master.requests.facts import Facts
from buildbot_balancer.master.requests.pending import Pending

PATCH = {'patch_base64': 'aGVsbG8sIHdvcmxk', 'patch_author': 'a', 'patch_comment': 'c'}

ROWS = [
    fakedb.Builder(id=77, name='b'),
    fakedb.Patch(id=9, patchlevel=1, subdir='src', **PATCH),
    fakedb.SourceStamp(id=21, branch='main', revision='r1', codebase='one', created_at=100),
    fakedb.SourceStamp(id=22, branch=None, revision=None, codebase='two', patchid=9),
    fakedb.SourceStamp(id=23, branch='quiet', revision='r2', codebase=''),
    fakedb.Change(changeid=30, sourcestampid=21, comments='older'),
    fakedb.Change(changeid=31, sourcestampid=21, comments='newer', when_timestamp=1_700_000_000),
    fakedb.ChangeFile(changeid=31, filename='a.c'),
    fakedb.ChangeFile(changeid=31, filename='b.c'),
    fakedb.ChangeProperty(changeid=31, property_name='p', property_value='["v", "Change"]'),
    fakedb.Buildset(id=5, reason='because of two'),
    fakedb.BuildsetSourceStamp(id=1, buildsetid=5, sourcestampid=22),
    fakedb.BuildsetSourceStamp(id=2, buildsetid=5, sourcestampid=21),
    fakedb.BuildsetProperty(buildsetid=5, property_name='n', property_value='[[1, 2], "S"]'),
    fakedb.BuildsetProperty(buildsetid=5, property_name='bad', property_value='['),
    fakedb.Buildset(id=6, reason='quiet'),
    fakedb.BuildsetSourceStamp(id=3, buildsetid=6, sourcestampid=23),
    fakedb.Buildset(id=7, reason='as 5 but later'),
    fakedb.BuildsetSourceStamp(id=4, buildsetid=7, sourcestampid=21),
    fakedb.BuildRequest(id=1, buildsetid=5, builderid=77, priority=3, submitted_at=1000),
    fakedb.BuildRequest(id=2, buildsetid=6, builderid=77, submitted_at=1001, waited_for=1),
    fakedb.BuildRequest(id=3, buildsetid=7, builderid=77, submitted_at=1002),
    fakedb.BuildRequest(id=4, buildsetid=5, builderid=77, submitted_at=1003),
]

TWO_SOURCES = Pending(1, 77, 5, 3, 1000, waited_for=False)
NO_CHANGE = Pending(2, 77, 6, 0, 1001, waited_for=True)
SAME_CHANGE = Pending(3, 77, 7, 0, 1002, waited_for=False)
SAME_BUILDSET = Pending(4, 77, 5, 0, 1003, waited_for=False)


def told_of(breq):
    """All that can be seen of a BuildRequest."""
    plain = {
        name: value
        for name, value in vars(breq).items()
        if name not in {'sources', 'properties', 'master'}
    }
    sources = {
        codebase: (
            stamp.asSSDict(),
            stamp.asDict(),
            stamp.patch,
            stamp.patch_info,
            [change.asChDict() for change in stamp.changes],
        )
        for codebase, stamp in breq.sources.items()
    }
    return plain, sources, breq.properties.asDict()


class Case(TestReactorMixin, TestCase):
    @async_to_deferred
    async def setUp(self):
        self.setup_test_reactor()
        self.master = await fakemaster.make_master(self, wantData=True)
        await self.master.db.insert_test_data(ROWS)
        self.facts = Facts(self.master, {77: 'b'}.get)
        self.calls = 0
        self.held = None
        self.do = self.master.db.pool.do
        self.master.db.pool.do = self.counted

    def counted(self, *args, **kwargs):
        self.calls += 1
        called = self.do(*args, **kwargs)
        if self.held is None:
            return called
        held = defer.Deferred()
        self.held.append((held, called))
        return held

    def let_go(self):
        held, called = self.held.pop(0)
        called.chainDeferred(held)

    async def cost(self, pending):
        before = self.calls
        await self.facts.of(pending)
        return self.calls - before


class Making(Case):
    @async_to_deferred
    async def test_it_is_what_buildbot_itself_would_have_made(self):
        for pending in (TWO_SOURCES, NO_CHANGE, SAME_CHANGE, SAME_BUILDSET):
            model = await self.master.db.buildrequests.getBuildRequest(pending.id)
            stock = await BuildRequest.fromBrdict(self.master, model)
            ours = await self.facts.of(pending)
            self.assertIsInstance(ours, BuildRequest)
            self.assertEqual(told_of(ours), told_of(stock))
            self.assertIs(ours.master, self.master)

    @async_to_deferred
    async def test_the_change_of_a_source_is_the_newest_one(self):
        breq = await self.facts.of(TWO_SOURCES)
        (change,) = breq.sources['one'].changes
        self.assertEqual((change.changeid, change.files), (31, ['a.c', 'b.c']))
        self.assertEqual(change.properties.getProperty('p'), 'v')
        self.assertEqual(breq.sources['two'].changes, [])

    @async_to_deferred
    async def test_a_request_whose_buildset_is_gone_has_none(self):
        self.assertIsNone(await self.facts.of(Pending(9, 77, 99, 0, 1000, waited_for=False)))
        self.assertEqual(len(self.facts), 0)

    @async_to_deferred
    async def test_a_request_whose_builder_has_left_has_none(self):
        self.assertIsNone(await self.facts.of(Pending(1, 78, 5, 0, 1000, waited_for=False)))
        self.assertEqual(len(self.facts), 0)

    @async_to_deferred
    async def test_requests_of_one_buildset_share_nothing_that_can_be_changed(self):
        one, other = await self.facts.of(TWO_SOURCES), await self.facts.of(SAME_BUILDSET)
        one.properties.setProperty('n', 0, 'test')
        one.sources['one'].changes.clear()
        one.sources['one'].asSSDict()['branch'] = 'mine'
        del one.sources['two']
        self.assertEqual(other.properties.getProperty('n'), [1, 2])
        self.assertEqual(len(other.sources['one'].changes), 1)
        self.assertEqual(
            (sorted(other.sources), other.sources['one'].branch), (['one', 'two'], 'main')
        )


class Costs(Case):
    @async_to_deferred
    async def test_a_new_buildset_costs_one_query_and_a_new_change_one_more(self):
        self.assertEqual(await self.cost(NO_CHANGE), 1)
        self.assertEqual(await self.cost(TWO_SOURCES), 2)
        self.assertEqual(await self.cost(SAME_CHANGE), 1)

    @async_to_deferred
    async def test_what_is_kept_costs_nothing_and_is_the_same_object(self):
        breq = await self.facts.of(TWO_SOURCES)
        self.assertEqual(await self.cost(TWO_SOURCES), 0)
        self.assertEqual(await self.cost(SAME_BUILDSET), 0)
        self.assertIs(await self.facts.of(TWO_SOURCES), breq)

    @async_to_deferred
    async def test_buildbot_itself_needs_more(self):
        model = await self.master.db.buildrequests.getBuildRequest(1)
        before = self.calls
        await BuildRequest.fromBrdict(self.master, model)
        self.assertGreater(self.calls - before, 4)

    @async_to_deferred
    async def test_two_who_ask_at_once_share_one_query_and_one_object(self):
        self.held = []
        asked = [defer.ensureDeferred(self.facts.of(TWO_SOURCES)) for _ in range(2)]
        self.let_go()
        self.let_go()
        self.assertEqual((self.calls, self.held), (2, []))
        one, other = await asked[0], await asked[1]
        self.assertIs(one, other)

    @async_to_deferred
    async def test_a_query_that_fails_is_not_kept(self):
        self.held = []
        asked = defer.ensureDeferred(self.facts.of(NO_CHANGE))
        self.held.pop()[0].errback(RuntimeError('gone away'))
        with self.assertRaises(RuntimeError):
            await asked
        self.held = None
        self.assertIsNotNone(await self.facts.of(NO_CHANGE))


class Keeping(Case):
    @async_to_deferred
    async def test_another_priority_is_seen_on_what_is_kept(self):
        breq = await self.facts.of(NO_CHANGE)
        await self.facts.of(Pending(2, 77, 6, 8, 1001, waited_for=True))
        self.assertEqual(breq.priority, 8)

    @async_to_deferred
    async def test_no_more_are_kept_than_the_bound_and_the_last_used_stay(self):
        self.facts = Facts(self.master, {77: 'b'}.get, kept=2)
        quiet = await self.facts.of(NO_CHANGE)
        first = await self.facts.of(TWO_SOURCES)
        await self.facts.of(NO_CHANGE)
        await self.facts.of(SAME_CHANGE)
        self.assertEqual((len(self.facts), len(self.facts._buildsets.keys())), (2, 2))
        self.assertIs(await self.facts.of(NO_CHANGE), quiet)
        self.assertIsNot(await self.facts.of(TWO_SOURCES), first)

    @async_to_deferred
    async def test_one_that_is_forgotten_is_made_anew_from_what_is_kept(self):
        breq = await self.facts.of(TWO_SOURCES)
        self.facts.forget(TWO_SOURCES.id)
        self.facts.forget(12345)
        self.assertEqual(len(self.facts), 0)
        self.assertEqual(await self.cost(TWO_SOURCES), 0)
        self.assertIsNot(await self.facts.of(TWO_SOURCES), breq)
