"""The documentation site: Sphinx on the Markdown of this folder, built by `make docs` into docs/_site."""

from __future__ import annotations

from headstart import __version__

project, author, copyright = "headstart", "the headstart authors", "the headstart authors"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_site"]
suppress_warnings: list[str] = []  # a warning ends the build

myst_heading_anchors = 4  # links such as data.md#warnings, as GitHub has them
default_role = "code"  # `word` in a docstring
napoleon_numpy_docstring = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
python_maximum_signature_line_length = 88

html_theme = "furo"  # no font, script or style from elsewhere
html_title = f"headstart {__version__}"
html_copy_source = False
html_show_sourcelink = False
html_permalinks_icon = "#"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b57d0", "color-brand-content": "#0b57d0"},
    "dark_css_variables": {"color-brand-primary": "#a8c7fa", "color-brand-content": "#a8c7fa"},
}
