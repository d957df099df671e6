# SPDX-License-Identifier: GPL-2.0-or-later
"""Every wrong argument is one sentence through buildbot.config.error, never a traceback."""

from __future__ import annotations

from buildbot.config.errors import capture_config_errors
from buildbot.plugins import util
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.arguments import Arguments
from buildbot_balancer.master.balancer import Balancer
from buildbot_balancer.policy.policy import Policy

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.just(object())
    | st.just(Policy()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
NAMES = tuple(Arguments.__attrs_attrs__)
NIGHT = util.Window('Mon-Fri', '22:00', '06:00', timezone='UTC')


def errors_of(*args, **kwargs):
    with capture_config_errors() as errors:
        Balancer(*args, **kwargs)
    return errors.errors


class Case(SynchronousTestCase):
    def problem(self, *args, **kwargs):
        """The one sentence."""
        found = errors_of(*args, **kwargs)
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith('util.Balancer: '), found)
        self.assertEqual(len(found[0].splitlines()), 1)
        return found[0]


class Good(Case):
    def test_without_arguments_there_is_nothing_to_say(self):
        self.assertEqual(errors_of(), [])

    def test_every_argument_may_be_given(self):
        self.assertEqual(
            errors_of(
                policy=util.Policy(reluctant_after=60),
                policies={'win*': util.Policy(), 'linux': util.Policy()},
                order='worker',
                rank=len,
                ageing=600,
                max_running={'win*': 3, 'linux': 0},
                availability=[util.Availability('*', windows=[NIGHT], clear_by=600)],
                metrics='tcp:9200:interface=127.0.0.1',
                stale_after=60,
                report_grace=0,
                unreported='reluctant',
                recheck=1.5,
            ),
            [],
        )

    def test_arguments_may_be_given_by_place(self):
        self.assertEqual(errors_of(['b'], Policy(), {'b': Policy()}), [])
        self.assertIn('policy must be a util.Policy', self.problem(['b'], 'fast'))

    def test_one_name_of_a_builder_may_stand_without_a_list(self):
        self.assertEqual(errors_of(builders='win'), [])

    def test_moods_are_written_as_everywhere(self):
        for mood in ('offline', 'going-on-holiday', 'reluctant', 'eager'):
            self.assertEqual(errors_of(unreported=mood), [])


class Wrong(Case):
    def test_an_argument_that_there_is_not_is_named(self):
        self.assertIn("'polcy'", self.problem(polcy=Policy()))
        self.assertNotIn('Arguments', self.problem(polcy=Policy()))

    def test_too_many_arguments_by_place(self):
        self.assertIn('positional', self.problem(*[None] * 20))

    def test_one_given_twice(self):
        self.assertIn('builders', self.problem(['b'], builders=['b']))

    def test_builders_that_are_no_names(self):
        for builders in (7, [7], ['b', None], object(), b'bytes'):
            said = self.problem(builders=builders)
            self.assertIn('builders must be a list of names or globs', said)

    def test_a_policy_that_is_none(self):
        self.assertIn('policy must be a util.Policy', self.problem(policy=[]))
        self.assertIn('policy must be a util.Policy', self.problem(policy=Policy))

    def test_what_is_wrong_inside_a_policy_says_in_which(self):
        broken = Policy(filters=['fast'])
        self.assertIn("policy: Policy: 'fast' in filters", self.problem(policy=broken))
        said = self.problem(policies={'win*': broken})
        self.assertIn("policies['win*']: Policy: 'fast' in filters", said)

    def test_policies_that_are_no_dict(self):
        for policies in ([], 'win', [('win', Policy())], 7):
            self.assertIn('policies must be a dict', self.problem(policies=policies))
        self.assertIn('no name or glob', self.problem(policies={7: Policy()}))
        self.assertIn("policies['b'] must be a util.Policy", self.problem(policies={'b': None}))

    def test_seconds_that_are_none(self):
        for name, least in (('stale_after', 1), ('report_grace', 0), ('recheck', 1), ('lease', 3)):
            for value in (
                'soon',
                -1,
                least - 0.5,
                True,
                float('nan'),
                float('inf'),
                [],
                object(),
            ):
                said = self.problem(**{name: value})
                self.assertIn(f'{name} must be a number of seconds, at least {least}', said)

    def test_only_stale_after_may_be_none(self):
        self.assertEqual(errors_of(stale_after=None), [])
        self.assertIn('report_grace', self.problem(report_grace=None))
        self.assertIn('recheck', self.problem(recheck=None))

    def test_a_mood_that_there_is_not(self):
        for mood in (None, 7, 'auto', '', 'eagre', [], {}):
            said = self.problem(unreported=mood)
            self.assertIn('unreported must be one of offline, going-on-holiday', said)

    def test_several_wrong_arguments_are_a_sentence_each(self):
        self.assertEqual(len(errors_of(builders=7, recheck=0, unreported='x', rank=7)), 4)


class Order(Case):
    def test_an_order_that_there_is_not(self):
        for order in ('backwards', object(), 7, ['request'], {'a': 1}):
            self.assertIn("order must be one of 'request', 'builder'", self.problem(order=order))

    def test_a_rank_that_is_no_function(self):
        self.assertIn('rank must be a function', self.problem(rank=7))

    def test_an_ageing_that_is_no_number_of_seconds(self):
        for ageing in ('1', 0.5, -1, float('inf'), True):
            self.assertIn('ageing must be a number of seconds', self.problem(ageing=ageing))

    def test_limits_that_are_none(self):
        for limits in (7, {'a': -1}, {'a': True}, {'a': None}, {7: 1}):
            self.assertIn('max_running', self.problem(max_running=limits))

    def test_what_is_over_all_builders_is_refused_where_some_are_left_out(self):
        for given_ in ({'order': 'request'}, {'rank': len}, {'ageing': 60}):
            said = self.problem(builders=['a'], **given_)
            self.assertIn('is over all builders, so it would be ignored', said)


class Hours(Case):
    def test_an_availability_that_is_none_is_refused(self):
        self.assertIn('must be a list of util.Availability', self.problem(availability=object()))
        self.assertIn('7 is no util.Availability', self.problem(availability=[7]))
        noon = util.Window('daily', '12:00', '13:00', timezone='UTC')
        mixed = [util.Availability('*', windows=[noon], mood='eager')]
        self.assertIn('would change nothing', self.problem(availability=mixed))


class Anything(Case):
    @given(st.dictionaries(st.sampled_from([one.name for one in NAMES]), ANYTHING))
    def test_whatever_is_given_is_fine_or_a_sentence_and_no_traceback(self, given_):
        for said in errors_of(**given_):
            self.assertEqual(len(said.splitlines()), 1)
            self.assertLess(len(said), 1000)
            said.encode()
