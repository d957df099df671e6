# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures: what the Balancer counts and times, for Prometheus.

What is known at any moment (moods, reasons, ages) is read when somebody asks; only what passes is
counted as it happens.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import Callable

import attrs
from prometheus_client import CollectorRegistry
from prometheus_client import Counter
from prometheus_client import Histogram
from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.core import Metric

from buildbot_balancer.availability.text import clean

PREFIX = 'buildbot_balancer'
QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)  # seconds
LOCKS = 500  # that are told by name; properties of builds may make up names without end
OTHER = 'other'
NAME = 200  # characters
LONG = (1, 5, 15, 60, 300, 900, 1800, 3600, 3 * 3600, 12 * 3600, 24 * 3600)


@attrs.frozen
class Gauge:
    """`read()`: values by the label's values; one without a label has the key ''."""

    name: str
    about: str
    label: str  # '': none
    read: Callable[[], Mapping[str, float]]


class Measures:
    """One registry for each Balancer: a master in a test's process may not be the only one."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._locks: set[str] = set()
        self.decisions = self._counter(
            'decisions', 'Builds started, and requests that wait for another reason', 'outcome'
        )
        self.wakes = self._counter('wakes', 'What was heard that could help a request', 'event')
        self.reports = self._counter('reports', 'Reports of workers, by what became of them', 'end')
        self.decision_seconds = self._histogram('decision_seconds', 'One look at a request', QUICK)
        self.wait_seconds = self._histogram(
            'wait_seconds', 'From the submission of a request to the start of its build', LONG
        )
        self.lock_wait_seconds = self._histogram(
            'lock_wait_seconds', 'From asking for a lock to having it', LONG, 'lock'
        )
        self.lock_hold_seconds = self._histogram(
            'lock_hold_seconds', 'From having a lock to letting it go', LONG, 'lock'
        )

    def watch(self, gauges: Iterable[Gauge]) -> None:
        self._registry.register(_Present(tuple(gauges)))

    def lock_ended(self, measure: Histogram, name: str, seconds: float) -> None:
        """`measure` is one of the two for locks."""
        label = clean(name, NAME)
        if len(self._locks) < LOCKS:
            self._locks.add(label)
        measure.labels(label if label in self._locks else OTHER).observe(seconds)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return bytes(generate_latest(self._registry))

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f'{PREFIX}_{name}', about, labels, registry=self._registry)

    def _histogram(
        self, name: str, about: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(
            f'{PREFIX}_{name}', about, labels, registry=self._registry, buckets=buckets
        )


class _Present:
    """Prometheus' library asks a collector at each scrape."""

    def __init__(self, gauges: tuple[Gauge, ...]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        for gauge in self._gauges:
            labels = [gauge.label] if gauge.label else []
            family = GaugeMetricFamily(f'{PREFIX}_{gauge.name}', gauge.about, labels=labels)
            for value, number in sorted(gauge.read().items()):
                family.add_metric([value] if labels else [], number)
            yield family


def timed(measure: Histogram, clock: Callable[[], float]) -> Any:
    """A context manager that observes how long its block takes by `clock`."""
    return _Timed(measure, clock)


class _Timed:
    def __init__(self, measure: Histogram, clock: Callable[[], float]) -> None:
        self._measure = measure
        self._clock = clock

    def __enter__(self) -> None:
        self._began = self._clock()

    def __exit__(self, *_: object) -> None:
        self._measure.observe(max(self._clock() - self._began, 0))
