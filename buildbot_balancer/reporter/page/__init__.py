# SPDX-License-Identifier: GPL-2.0-or-later
"""The owner's page: on 127.0.0.1 of the machine itself, and for its owner alone."""
