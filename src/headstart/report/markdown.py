"""Pieces of Markdown that model cards are made of."""

from __future__ import annotations

import json
import re


def _clean(words: str) -> str:
    """One line without characters that a UTF-8 file, YAML or a table row cannot hold."""
    words = words.encode("utf-8", "replace").decode("utf-8")
    return "".join(c if c.isprintable() else " " for c in words)


def plain(words: str) -> str:
    """Text that Markdown shows as it is: in a table, in a heading, in a sentence."""
    words = _clean(words).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\|*_\[\]`~#])", r"\\\1", words)


def quoted(words: str) -> str:
    """A string in double quotes that YAML and Python both read back, and no reader of Markdown takes for HTML."""
    return json.dumps(_clean(words), ensure_ascii=False).replace("<", r"\u003c")


def listed(title: str, lines: list[str]) -> str:
    """A section whose body is a list; each line is Markdown already."""
    return "\n".join([f"## {title}", "", *(f"- {line}" for line in lines)])


def python(code: str) -> str:
    """A block of Python."""
    return f"```python\n{code.strip()}\n```"
