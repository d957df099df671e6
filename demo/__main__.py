# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m demo``; ``DEMO_EXIT=1`` leaves when all is done."""

from __future__ import annotations

import os
import sys

from demo.stop import Stop


def main() -> int:
    stop = Stop()
    stop.listen()
    # from here on a signal is noted, also while the rest is imported
    from demo import performance

    code = performance.run(stop, leave=os.environ.get('DEMO_EXIT', '') not in {'', '0'})
    stop.deafen()
    return code


if __name__ == '__main__':
    sys.exit(main())
