# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.standing import Rules
from buildbot_balancer.master.arguments import Arguments
from buildbot_balancer.master.settings import Settings
from buildbot_balancer.policy.affinity import Affinity
from buildbot_balancer.policy.fastest import FastestFirst
from buildbot_balancer.policy.gate import Gate
from buildbot_balancer.policy.policy import Policy
from buildbot_balancer.policy.scorers import FewestBuilds


def yes():
    return True


def policy(seconds):
    return Policy(reluctant_after=seconds)


class Meaning(SynchronousTestCase):
    def test_no_arguments_mean_the_documented_defaults(self):
        self.assertEqual(
            Settings.of(Arguments()),
            Settings(
                builders=None,
                policy=Policy(),
                policies=(),
                rules=Rules(stale_after=None, report_grace=10.0, unreported=Mood.EAGER),
                recheck=30.0,
            ),
        )

    def test_each_argument_arrives(self):
        found = Settings.of(
            Arguments(
                builders=['b'],
                policy=policy(1),
                policies={'c': policy(2)},
                stale_after=60,
                report_grace=5,
                unreported='reluctant',
                recheck=7,
            )
        )
        self.assertEqual(
            found,
            Settings(
                builders=('b',),
                policy=policy(1),
                policies=(('c', policy(2)),),
                rules=Rules(stale_after=60, report_grace=5, unreported=Mood.RELUCTANT),
                recheck=7,
            ),
        )

    def test_the_same_arguments_are_the_same_settings(self):
        self.assertEqual(Settings.of(Arguments()), Settings.of(Arguments()))
        self.assertNotEqual(Settings.of(Arguments()), Settings.of(Arguments(recheck=31)))

    def test_builders_that_can_be_read_once_only_are_kept(self):
        found = Settings.of(Arguments(builders=iter(['b'])))
        self.assertTrue(found.serves('b'))
        self.assertTrue(found.serves('b'))


class Serving(SynchronousTestCase):
    def serves(self, builders, name):
        return Settings.of(Arguments(builders=builders)).serves(name)

    def test_none_is_all_and_an_empty_list_is_nobody(self):
        self.assertTrue(self.serves(None, 'b'))
        self.assertFalse(self.serves([], 'b'))

    def test_names_and_globs(self):
        self.assertTrue(self.serves(['win*', 'linux'], 'win-10'))
        self.assertTrue(self.serves(['win*', 'linux'], 'linux'))
        self.assertFalse(self.serves(['win*', 'linux'], 'linux-arm'))

    def test_one_name_as_text_is_no_list_of_letters(self):
        self.assertTrue(self.serves('win', 'win'))
        self.assertFalse(self.serves('win', 'w'))

    def test_the_case_counts_on_every_system(self):
        self.assertFalse(self.serves(['WIN*'], 'win-10'))

    def test_a_builder_whose_name_looks_like_a_glob_is_served_by_its_name(self):
        self.assertTrue(self.serves(['build [x86]'], 'build [x86]'))


class PolicyFor(SynchronousTestCase):
    def seconds(self, name, policies):
        settings = Settings.of(Arguments(policy=policy(99), policies=policies))
        return settings.policy_for(name).reluctant_after

    def test_an_exact_name_wins_wherever_it_stands(self):
        for policies in (
            {'win*': policy(1), 'win-10': policy(2)},
            {'win-10': policy(2), 'win*': policy(1)},
        ):
            self.assertEqual(self.seconds('win-10', policies), 2)
            self.assertEqual(self.seconds('win-11', policies), 1)

    def test_of_globs_the_first_in_the_config_wins(self):
        self.assertEqual(self.seconds('win-10', {'win*': policy(1), '*': policy(2)}), 1)
        self.assertEqual(self.seconds('win-10', {'*': policy(2), 'win*': policy(1)}), 2)

    def test_a_name_with_brackets_is_found_as_it_is(self):
        self.assertEqual(self.seconds('b [1]', {'b [1]': policy(1)}), 1)

    def test_who_matches_nothing_has_the_policy_of_all(self):
        self.assertEqual(self.seconds('mac', {'win*': policy(1)}), 99)


class Gates(SynchronousTestCase):
    def test_the_gates_of_all_policies_are_found(self):
        gates = [Gate(name, yes) for name in ('a', 'b', 'c')]
        settings = Settings.of(
            Arguments(
                policy=Policy(filters=[gates[0]]),
                policies={'x': Policy(filters=gates[1:]), 'y': Policy()},
            )
        )
        self.assertEqual(list(settings.gates()), gates)
        self.assertEqual(list(Settings().gates()), [])


class Learners(SynchronousTestCase):
    def test_the_scorers_that_learn_of_all_policies_are_found(self):
        one, other, third = FastestFirst(), FastestFirst(), Affinity()
        settings = Settings.of(
            Arguments(
                policy=Policy(scorers=[(one, 1), (FewestBuilds(), 1)]),
                policies={'x': Policy(scorers=[(other, 2), (third, 1)]), 'y': Policy()},
            )
        )
        found = list(settings.learners())
        self.assertEqual([id(scorer) for scorer in found], [id(one), id(other), id(third)])
        self.assertEqual(list(Settings().learners()), [])
