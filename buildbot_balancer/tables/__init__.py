# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables ``balancer_*`` in the master's database: SQLAlchemy and Alembic, and nothing of
Buildbot's. All of it runs in a thread.
"""
