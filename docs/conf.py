"""The documentation site: Sphinx on the Markdown of this folder, built by `make docs` into docs/_site."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from headstart import __version__

project, author, copyright = "headstart", "the headstart authors", "the headstart authors"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_site"]
suppress_warnings: list[str] = []  # a warning ends the build

myst_heading_anchors = 4  # links such as features.md#int8, as GitHub has them
default_role = "code"  # `word` in a docstring
napoleon_numpy_docstring = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
python_maximum_signature_line_length = 88

html_theme = "furo"  # no font, script or style from elsewhere
html_title = f"headstart {__version__}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_permalinks_icon = "#"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b57d0", "color-brand-content": "#0b57d0"},
    "dark_css_variables": {"color-brand-primary": "#a8c7fa", "color-brand-content": "#a8c7fa"},
}

# What Sphinx and furo write and a reader of screens trips over: (pattern, what is written in its place).
MENDED = (
    (r'<aside class="sidebar-drawer', '<aside aria-label="Pages" class="sidebar-drawer'),  # two landmarks of one kind
    (r'<aside class="toc-drawer', '<aside aria-label="On this page" class="toc-drawer'),
    (r'<p class="caption" role="heading">', '<p class="caption" role="heading" aria-level="2">'),
    (r"<pre>", '<pre tabindex="0">'),  # what can be scrolled can be reached by keys
    (r'<div class="table-wrapper', '<div tabindex="0" class="table-wrapper'),
    (r'<th class="head"><p></p></th>', '<td class="head"></td>'),  # a header without a word
)
SIGNATURE = re.compile(r"<dl>\n(<dd>.*?)</dl>", re.DOTALL)  # a list of definitions without anything defined
INDENTED = '<div style="margin-left: 2rem">'


def mend(app: Any, failed: Exception | None) -> None:
    """Make the pages that were built accessible."""
    if failed is not None or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        for pattern, written in MENDED:
            page = re.sub(pattern, written, page)
        page = SIGNATURE.sub(lambda found: found[1].replace("<dd>", INDENTED).replace("</dd>", "</div>"), page)
        path.write_text(page, encoding="utf-8")


def leave_the_log_out_of_the_search(app: Any, name: str, source: list[str]) -> None:
    """Experiments have every word in them, so they would come first."""
    if name.startswith("log/"):
        source[0] = f"---\nnosearch: true\n---\n{source[0]}"


# Words that people look for, of pages that call it otherwise.
ALSO_CALLED = {
    "check": "mislabeled mislabelled noisy labels label errors clean",
    "confidence": "uncertainty reject option threshold conformal",
    "feedback": "retrain continue training active learning",
    "few-labels": "how many photos how many examples few-shot",
    "first-ten-minutes": "install installation setup quickstart tutorial",
    "metrics": "custom metric own metric",
    "phone": "android ios mobile app",
    "photos": "augmentation images pictures formats",
    "regression": "decimal comma continuous value",
    "reliability": "resume crash interrupted continue restart checkpoint",
    "scale": "cluster distributed multi-node",
    "scores": "trust score overfitting leakage",
    "tuning": "finetune finetuning fine-tune unfreeze overfitting",
    "your-data": "privacy upload delete telemetry",
}


def add_what_it_is_called_elsewhere(app: Any, document: Any) -> None:
    """The search counts these words as the page's own."""
    from docutils import nodes

    words = ALSO_CALLED.get(app.env.docname)
    if words is not None:
        document.insert(0, nodes.meta(name="keywords", content=", ".join(words.split())))


def setup(app: Any) -> None:
    app.connect("source-read", leave_the_log_out_of_the_search)
    app.connect("doctree-read", add_what_it_is_called_elsewhere)
    app.connect("build-finished", mend)
