# SPDX-License-Identifier: GPL-2.0-or-later
"""One file a step from one version of the tables to the next; one that was released stays as it
is. A file is called ``v`` and its revision; Alembic finds the order in ``down_revision``.

``upgrade(operations)`` may be called again where it was cut off: not every database can undo half
of a step.
"""
