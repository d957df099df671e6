# SPDX-License-Identifier: GPL-2.0-or-later
"""All authorities at once, in any order of events: who wins, and how often it changes."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import initialize
from hypothesis.stateful import invariant
from hypothesis.stateful import rule

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.reporter import says
from buildbot_balancer.reporter.decide import authority
from buildbot_balancer.reporter.decide import decide
from buildbot_balancer.reporter.judges import Bench
from buildbot_balancer.reporter.measured import Advice
from buildbot_balancer.reporter.measured import IdleTime
from buildbot_balancer.reporter.measured import LoadShare
from buildbot_balancer.reporter.measured import Power
from buildbot_balancer.reporter.measured import Reading
from buildbot_balancer.reporter.settings.reading import read
from buildbot_balancer.reporter.word import NO_WORD
from buildbot_balancer.reporter.word import Word

HOLD = 60.0
FILE = """\
[[window]]
from = "09:00"
to = "17:00"
timezone = "UTC"
mood = "reluctant"
[load]
busy = 0.7
free = 0.3
[idle]
for = "15m"
[battery]
below = 50
[pressure]
io = {busy = 40, free = 20}
[busy_with]
programs = ["a"]
mood = "going-on-holiday"
[disk]
least = "10 GB"
[command]
run = "x"
"""
CALM = {
    'load': LoadShare(load=0.0, own=0.0),
    'idle': IdleTime(seconds=5000.0, what='mouse'),
    'battery': Power(plugged=True),
    'pressure': {'io': 0.0},
    'busy-with': (),
    'disk': 1e12,
    'command': Advice(mood=None),
}
VALUES = st.one_of(
    st.tuples(st.just('load'), st.floats(0, 2).map(lambda load: LoadShare(load=load, own=0.0))),
    st.tuples(st.just('idle'), st.floats(0, 2000).map(lambda s: IdleTime(seconds=s, what='mouse'))),
    st.tuples(
        st.just('battery'),
        st.builds(Power, plugged=st.booleans(), percent=st.none() | st.floats(0, 100)),
    ),
    st.tuples(st.just('pressure'), st.floats(0, 100).map(lambda percent: {'io': percent})),
    st.tuples(st.just('busy-with'), st.sampled_from([(), ('a',)])),
    st.tuples(st.just('disk'), st.floats(0, 20e9)),
    st.tuples(
        st.just('command'),
        (st.none() | st.sampled_from(Mood)).map(lambda mood: Advice(mood=mood)),
    ),
)
WORDS = st.one_of(
    st.just(NO_WORD),
    st.builds(
        Word,
        mood=st.sampled_from(Mood),
        until=st.none() | st.floats(0, 5000),
        draining=st.booleans(),
    ),
)


def level(mood):
    return len(Mood) if mood is None else int(mood)


class Authorities(RuleBasedStateMachine):
    @initialize(measured=st.booleans())
    def begin(self, measured):
        self.bench = Bench(read(FILE), 10.0)
        self.steady = self.wall = 0.0
        calm = CALM if measured else {}
        self.readings = {source: Reading(value, 0.0, '') for source, value in calm.items()}
        self.word = NO_WORD
        self.before = {}
        self.rises = {}
        self.flaps = {}
        self.said = ()

    @rule(values=st.lists(VALUES, max_size=8))
    def measure(self, values):
        for source, value in values:
            self.readings[source] = Reading(value, self.steady, '')
        self.look()

    @rule(source=st.sampled_from(['load', 'idle', 'disk', 'command']))
    def fail(self, source):
        before = self.readings.get(source, Reading())
        self.readings[source] = Reading(before.value, before.at, 'it broke')
        self.look()

    @rule(seconds=st.floats(0.25, 200), measured=st.booleans())
    def wait(self, seconds, measured):
        self.steady += seconds
        self.wall += seconds
        if measured:  # as before
            for source, reading in self.readings.items():
                self.readings[source] = Reading(reading.value, self.steady, '')
        self.look()

    @rule(seconds=st.floats(-4000, 4000))
    def set_the_clock(self, seconds):
        self.wall = max(self.wall + seconds, 0.0)
        self.look()

    @rule(word=WORDS)
    def speak(self, word):
        self.word = word
        self.look()

    def look(self):
        self.said = self.bench.judge(self.readings, self.steady, self.wall)
        for one in self.said:
            if one.source == says.WINDOW or one.source not in self.readings:
                continue  # exact, or never measured yet
            before = self.before.get(one.source, one.mood)
            last = self.rises.get(one.source)
            if level(one.mood) > level(before):
                assert last is None or self.steady - last >= HOLD, one
                self.rises[one.source] = self.steady
            elif level(one.mood) < level(before) and last is not None:
                flapped = self.flaps.get(one.source)
                if flapped is None or flapped < last:
                    assert flapped is None or self.steady - flapped >= HOLD, one
                    self.flaps[one.source] = self.steady
            self.before[one.source] = one.mood

    @invariant()
    def the_owners_word_is_above_all(self):
        opinion = decide(self.word, self.wall, free=False, automatic=self.said)
        if self.word.holds(self.wall):
            assert opinion.mood is self.word.mood
            assert opinion.source == (says.DRAIN if self.word.draining else says.OWNER)

    @invariant()
    def the_lowest_wins_and_of_equals_the_first(self):
        if self.word.holds(self.wall):
            return
        opinion = decide(self.word, self.wall, free=False, automatic=self.said)
        spoken = [one for one in self.said if one.mood is not None]
        lowest = min((one.mood for one in spoken), default=Mood.EAGER)
        first = next((one.source for one in spoken if one.mood is lowest), says.DEFAULT)
        assert (opinion.mood, opinion.source) == (lowest, first)
        assert opinion.reason or opinion.source == says.DEFAULT

    @invariant()
    def nothing_but_its_mood_leaves_the_machine(self):
        opinion = decide(self.word, self.wall, free=False, automatic=self.said)
        published = opinion.published(details=False)
        assert published.mood is opinion.mood
        if opinion.source not in {says.OWNER, says.DRAIN, says.DEFAULT}:
            assert (published.source, published.reason, published.until) == (
                'automatic',
                None,
                None,
            )

    @invariant()
    def everybody_is_shown_in_order(self):
        sources = [one.source for one in authority(self.word, self.wall, self.said)]
        assert sources == [source for source in says.ORDER if source in sources]
        assert {says.OWNER, says.DRAIN, says.DEFAULT} <= set(sources)


class Test(Authorities.TestCase):
    settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
