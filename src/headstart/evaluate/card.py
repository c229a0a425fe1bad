"""The model card: README.md of the saved folder, in Markdown with YAML front matter."""

from __future__ import annotations

import json
import re
from collections import Counter

from headstart.evaluate.made import Provenance
from headstart.evaluate.pieces import percent
from headstart.evaluate.report import verdict
from headstart.values import Kind, Scores

# the Hub's own identifiers; any other licence is "other" with its name beside it
_LICENCES = {
    *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "gpl-3.0", "lgpl-3.0", "mpl-2.0", "unlicense", "unknown"),
    *("cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "openrail"),
}
_HUB_NAME = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*")
_LISTED_CLASSES = 100
_SAMPLE = {"image": "photo.jpg", "text": "a sentence to classify"}


def card(
    scores: Scores,
    provenance: Provenance,
    *,
    kind: Kind,
    licence: str,
    folder: str,
    base_model: str | None = None,
    plain_code: str | None = None,
) -> str:
    """The card as text, to be written as UTF-8. No example and no file name of the user's is in it, only counts.

    Args:
        scores: of the test part.
        provenance: how the model came about.
        kind: "image" or "text".
        licence: of the pre-trained weights, for the adapted model inherits it.
        folder: name of the saved folder, for the snippet.
        base_model: the pre-trained model's name on the Hub; None: provenance.model, where that could be one.
        plain_code: Python that gives the same probabilities without headstart.
    """
    parts = [
        _front(provenance, kind, licence, base_model or provenance.model),
        f"# {_plain(provenance.title)}",
        f"{kind.capitalize()} classification into {len(scores.classes)} classes: {_plain(provenance.model)}, "
        f"adapted by {_plain(provenance.how)} with headstart on {_plain(provenance.date)}.",
        _results(scores),
        _use(scores, kind),
        _data(scores, provenance),
        _load(kind, folder),
    ]
    if plain_code:
        parts.append(f"Without headstart:\n\n```python\n{plain_code.strip()}\n```")
    return "\n\n".join(parts) + "\n"


def _front(provenance: Provenance, kind: Kind, licence: str, base: str) -> str:
    known = licence.strip().lower()
    lines = ["---", f"license: {known}"] if known in _LICENCES else ["---", "license: other"]
    if known not in _LICENCES:
        lines.append(f"license_name: {_quoted(licence.strip() or 'unknown')}")
    lines += ["library_name: headstart", f"pipeline_tag: {kind}-classification"]
    if _HUB_NAME.fullmatch(base):
        lines.append(f"base_model: {_quoted(base)}")
    lines += ["tags:", "- headstart", f"- {kind}-classification", f"- {_quoted(provenance.how)}"]
    lines += ["metrics:", "- accuracy", "- f1", "---"]
    return "\n".join(lines)


def _results(scores: Scores) -> str:
    low, high = percent(scores.accuracy_interval.low), percent(scores.accuracy_interval.high)
    lines = [
        "## Results",
        "",
        f"Measured on {scores.n:,} examples that took no part in training or in any choice. {_plain(verdict(scores))}",
        "",
        "| measure | value |",
        "|---|---|",
        f"| accuracy | {percent(scores.accuracy)} (95 % interval {low} to {high}) |",
        f"| always answering {_plain(scores.majority_class)} | {percent(scores.majority_accuracy)} |",
        f"| macro F1 | {percent(scores.macro_f1)} |",
        f"| expected calibration error | {percent(scores.ece)} |",
        f"| log loss (nats) | {scores.log_loss:.3f} |",
        "",
        "| class | test examples | precision | recall | F1 |",
        "|---|---:|---:|---:|---:|",
    ]
    for c in scores.per_class[:_LISTED_CLASSES]:
        figures = (percent(c.precision), percent(c.recall), percent(c.f1)) if c.count else ("–", "–", "–")
        lines.append(f"| {_plain(c.name)} | {c.count:,} | {' | '.join(figures)} |")
    more = len(scores.per_class) - _LISTED_CLASSES
    return "\n".join(lines) + (f"\n\nand {more:,} more classes, in `metrics.json`." if more > 0 else "")


def _use(scores: Scores, kind: Kind) -> str:
    return f"""## Intended use

Sorting {kind}s of the kind it was trained on into the {len(scores.classes)} classes above.
It always answers with one of them, also for {kind}s that belong to none. The figures hold for data like the test part;
measure again on data of your own, and do not let it decide alone where a mistake would harm someone.
What the pre-trained model learned, biases too, is still in it."""


def _data(scores: Scores, provenance: Provenance) -> str:
    lines = [
        "## Data",
        "",
        f"- {provenance.n_train:,} training and {provenance.n_test:,} test examples, {len(scores.classes)} classes",
        f"- left out: {provenance.n_rejected:,}",
    ]
    counts = Counter(f.kind for f in provenance.findings)
    lines += [f"- found while checking: {n:,} × {_plain(kind)}" for kind, n in sorted(counts.items())]
    lines.append(f"- temperature {provenance.temperature:.3f}, folded into the last layer")
    if provenance.class_weights:
        lines.append("- rare classes were given more weight in training")
    if provenance.seconds:
        total = provenance.seconds.get("total", sum(provenance.seconds.values()))
        lines.append(f"- made in {total:,.1f} seconds")
    return "\n".join(lines)


def _load(kind: Kind, folder: str) -> str:
    return f"""## How to load it

```python
import headstart as hs

model = hs.load({_quoted(folder)})
print(model.predict({_quoted(_SAMPLE[kind])}))
```"""


def _clean(words: str) -> str:
    """One line without characters that a UTF-8 file, YAML or a table row cannot hold."""
    words = words.encode("utf-8", "replace").decode("utf-8")
    return "".join(c if c.isprintable() else " " for c in words)


def _plain(words: str) -> str:
    """Text that Markdown shows as it is: in a table, in a heading, in a sentence."""
    words = _clean(words).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\|*_\[\]`~#])", r"\\\1", words)


def _quoted(words: str) -> str:
    """A string in double quotes that YAML and Python both read back."""
    return json.dumps(_clean(words), ensure_ascii=False)
