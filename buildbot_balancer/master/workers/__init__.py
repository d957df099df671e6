# SPDX-License-Identifier: GPL-2.0-or-later
"""What this master knows of its workers: reports, standings, builds that run there."""
