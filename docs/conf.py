# SPDX-License-Identifier: GPL-2.0-or-later
"""Sphinx: ``make docs`` writes HTML to docs/_build; a warning is an error."""

from buildbot_balancer import __version__

project = 'buildbot-balancer'
copyright = 'the authors of buildbot-balancer, GPL-2.0-or-later'
version = release = __version__

exclude_patterns = ['_build']
highlight_language = 'none'

html_theme = 'alabaster'
html_theme_options = {
    'description': "Runs Buildbot's builds on machines that are willing and not busy",
    'page_width': '1040px',
}
html_show_sphinx = False
