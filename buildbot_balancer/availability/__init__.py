# SPDX-License-Identifier: GPL-2.0-or-later
"""What a worker says of itself and what the master concludes. Pure: time is an argument."""
