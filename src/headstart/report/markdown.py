"""Pieces of Markdown that model cards are made of, with the YAML in front of them that the Hub reads."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headstart.record import Record

# the Hub's own identifiers; any other licence is "other" with its name beside it
_LICENCES = {
    *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "gpl-3.0", "lgpl-3.0", "mpl-2.0", "unlicense", "unknown"),
    *("cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "openrail"),
}
_HUB_NAME = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*")


def front(
    record: Record, *, task: str, metrics: Sequence[str], licence: str, base: str | None, pipeline: str = ""
) -> str:
    """The YAML.

    Args:
        task: the Hub's name of it. metrics: the Hub's names.
        pipeline: of transformers, that gives the model's own answers; empty: none does, so the Hub is told of none.
        licence: of the pre-trained weights. base: their name on the Hub; None: record.model, where it could be one.
    """
    known, base = licence.strip().lower(), base or record.model
    lines = ["---", f"license: {known}"] if known in _LICENCES else ["---", "license: other"]
    if known not in _LICENCES:
        lines.append(f"license_name: {quoted(licence.strip() or 'unknown')}")
    lines += ["library_name: headstart", *([f"pipeline_tag: {pipeline}"] if pipeline else ())]
    if _HUB_NAME.fullmatch(base):
        lines.append(f"base_model: {quoted(base)}")
    lines += ["tags:", "- headstart", f"- {task}", f"- {quoted(record.method)}"]
    lines += ["metrics:", *(f"- {metric}" for metric in metrics), "---"]
    return "\n".join(lines)


def cautions(record: Record) -> list[str]:
    """Lines on what a reader has to know beside the figures."""
    return [line for caution in record.cautions for line in (f"> **Warning:** {plain(caution.text)}", "")]


def _same(record: Record) -> str:
    """Where training and test examples are not two sets, how they are one."""
    if record.out_of_fold:
        return ", the same ones: scored out-of-fold"
    return ", which are among the former: learned from after the score" if record.final else ""


def data(record: Record, *, things: str, more: Sequence[str] = ()) -> str:
    """What it was made from, in counts. things: what the data are made of, "examples"; more: lines about the making."""
    lines = [
        f"{record.n_train:,} training and {record.n_test:,} test {things}{_same(record)}",
        f"left out: {record.n_rejected:,}",
    ]
    counts = Counter(f.kind for f in record.findings)
    lines += [f"found while checking: {n:,} × {plain(kind)}" for kind, n in sorted(counts.items())]
    lines += more
    if record.chosen_by is not None:
        lines.append(f"penalty, model and whether to tune were chosen by {plain(record.chosen_by.in_words)}")
    if record.seconds:
        total = record.seconds.get("total", sum(record.seconds.values()))
        lines.append(f"made in {total:,.1f} seconds")
    return "\n".join(["## Data", "", *(f"- {line}" for line in lines)])


def whole(parts: Sequence[str], plain_code: str | None) -> str:
    """The card of its parts, and the Python that needs no headstart behind them."""
    last = [f"Without headstart:\n\n```python\n{plain_code.strip()}\n```"] if plain_code else []
    return "\n\n".join([*parts, *last]) + "\n"


def _clean(words: str) -> str:
    """One line without characters that a UTF-8 file, YAML or a table row cannot hold."""
    words = words.encode("utf-8", "replace").decode("utf-8")
    return "".join(c if c.isprintable() else " " for c in words)


def plain(words: str) -> str:
    """Text that Markdown shows as it is: in a table, in a heading, in a sentence."""
    words = _clean(words).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\|*_\[\]`~#])", r"\\\1", words)


def quoted(words: str) -> str:
    """A string in double quotes that YAML and Python both read back."""
    return json.dumps(_clean(words), ensure_ascii=False)
