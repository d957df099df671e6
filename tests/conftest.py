# SPDX-License-Identifier: GPL-2.0-or-later
"""Each test runs in a folder of its own: trial's mktemp makes folders where it is."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile('shared', deadline=None)  # other masters run beside a test
settings.load_profile('shared')


def pytest_collection_modifyitems(items):
    """The long ones first: at the end the others would wait for them."""
    items.sort(key=lambda item: item.get_closest_marker('long') is None)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
