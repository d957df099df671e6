# SPDX-License-Identifier: GPL-2.0-or-later
"""What the owner asks of the reporter in ``availability.toml``.

Pure, but for ``store`` and ``watch``.
"""
