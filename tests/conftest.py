# SPDX-License-Identifier: GPL-2.0-or-later
"""Each test runs in a folder of its own: trial's mktemp makes folders where it is."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile('shared', deadline=None)  # other masters run beside a test
settings.load_profile('shared')


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
