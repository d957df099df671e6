# SPDX-License-Identifier: GPL-2.0-or-later
"""Each test runs in a folder of its own: trial's mktemp makes folders where it is."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
