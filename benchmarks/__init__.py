# SPDX-License-Identifier: GPL-2.0-or-later
"""What the distribution of builds costs, Buildbot's own beside the balancer's.

Apart from the tests: nothing here passes or fails. README.rst says what is measured and how.
"""
