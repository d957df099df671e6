# SPDX-License-Identifier: GPL-2.0-or-later
"""What a browser, a script or another program can ask of the Balancer."""
