"""The model card of a classifier: README.md of the saved folder."""

from __future__ import annotations

from headstart.report.classification import verdict
from headstart.report.html import percent
from headstart.report.markdown import data, front, plain, quoted, whole
from headstart.report.provenance import Provenance
from headstart.values import Kind, Scores

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
    task = f"{kind}-classification"
    about = (
        f"{kind.capitalize()} classification into {len(scores.classes)} classes: {plain(provenance.model)}, "
        f"adapted by {plain(provenance.how)} with headstart on {plain(provenance.date)}."
    )
    more = [f"temperature {provenance.temperature:.3f}, folded into the last layer"]
    if provenance.class_weights:
        more.append("rare classes were given more weight in training")
    parts = [
        front(provenance, task=task, metrics=("accuracy", "f1"), licence=licence, base=base_model),
        f"# {plain(provenance.title)}",
        about,
        _results(scores),
        _use(scores, kind),
        data(provenance, things=f"examples, {len(scores.classes)} classes", more=more),
        _load(kind, folder),
    ]
    return whole(parts, plain_code)


def _results(scores: Scores) -> str:
    low, high = percent(scores.accuracy_interval.low), percent(scores.accuracy_interval.high)
    lines = [
        "## Results",
        "",
        f"Measured on {scores.n:,} examples that took no part in training or in any choice. {plain(verdict(scores))}",
        "",
        "| measure | value |",
        "|---|---|",
        f"| accuracy | {percent(scores.accuracy)} (95 % interval {low} to {high}) |",
        f"| always answering {plain(scores.majority_class)} | {percent(scores.majority_accuracy)} |",
        f"| macro F1 | {percent(scores.macro_f1)} |",
        f"| expected calibration error | {percent(scores.ece)} |",
        f"| log loss (nats) | {scores.log_loss:.3f} |",
        "",
        "| class | test examples | precision | recall | F1 |",
        "|---|---:|---:|---:|---:|",
    ]
    for c in scores.per_class[:_LISTED_CLASSES]:
        figures = (percent(c.precision), percent(c.recall), percent(c.f1)) if c.count else ("–", "–", "–")
        lines.append(f"| {plain(c.name)} | {c.count:,} | {' | '.join(figures)} |")
    more = len(scores.per_class) - _LISTED_CLASSES
    return "\n".join(lines) + (f"\n\nand {more:,} more classes, in `metrics.json`." if more > 0 else "")


def _use(scores: Scores, kind: Kind) -> str:
    return f"""## Intended use

Sorting {kind}s of the kind it was trained on into the {len(scores.classes)} classes above.
It always answers with one of them, also for {kind}s that belong to none. The figures hold for data like the test part;
measure again on data of your own, and do not let it decide alone where a mistake would harm someone.
What the pre-trained model learned, biases too, is still in it."""


def _load(kind: Kind, folder: str) -> str:
    return f"""## How to load it

```python
import headstart as hs

model = hs.load({quoted(folder)})
print(model.predict({quoted(_SAMPLE[kind])}))
```"""
