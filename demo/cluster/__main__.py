# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m demo.cluster``: ends with 0 only if everything held that the demo is to show."""

from __future__ import annotations

import sys

from demo.stop import Stop


def main() -> int:
    stop = Stop()
    stop.listen()
    # from here on a signal is noted, also while the rest is imported
    from demo.cluster import performance

    code = performance.run(stop)
    stop.deafen()
    return code


if __name__ == '__main__':
    sys.exit(main())
