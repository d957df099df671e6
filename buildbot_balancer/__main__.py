# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m buildbot_balancer`` is ``buildbot-balancer``."""

from buildbot_balancer.cli.main import main

if __name__ == '__main__':
    main(prog_name='buildbot-balancer')
