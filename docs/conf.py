"""Sphinx configuration; nothing is fetched from the network."""

from selfinterp_stats import __version__

project = "SelfInterp Stats"
author = "The SelfInterp Stats developers"
copyright = "2026, The SelfInterp Stats developers"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
myst_enable_extensions = ["deflist"]  # formulas are plain text: a page reads the same without a network
myst_heading_anchors = 3
napoleon_google_docstring = False
napoleon_use_rtype = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "SelfInterp Stats"
