"""The model card, README.md of the saved folder: what the model is for, how good it is, what it is made from, how to
load it.

It is shared where the data may not be: no example and no file name of the user's is in it, only counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headstart.backbone import Backbone
from headstart.pretrained.catalog import licence_of
from headstart.pretrained.licences import meaning
from headstart.pretrained.source import SOURCES
from headstart.report import general, sureness
from headstart.report.beside import beside_labels
from headstart.report.front import front
from headstart.report.html import percent
from headstart.report.markdown import listed, plain, python, quoted
from headstart.report.verdict import more_labels

if TYPE_CHECKING:
    from headstart.record import Record

_UNBALANCED = 3.0  # times as many training examples as of the rarest class
_SURE = {  # by the words of `sureness.lines`
    "answers": "Where it may say that it is unsure, it answers",
    "strangers": "Inputs that are like nothing it learned from",
}
_LISTED = 100  # classes or labels
_LEAST_SHOWN = 0.05  # seconds of a step


@dataclass(frozen=True, kw_only=True)
class CardWords:
    """What a task says in a card; all of it is Markdown already."""

    about: str  # what the model does, in half a sentence
    use: str  # what it is for
    results: Sequence[str]  # lines behind what it was measured on: the verdict, tables
    loading: Sequence[str]  # paragraphs and blocks of code
    limits: Sequence[str] = ()  # what it cannot do, a sentence each
    things: str = "examples"  # what the data are made of
    more: Sequence[str] = ()  # about the making
    pipeline: str = ""  # of transformers, that gives the model's own answers; empty: none does


def card(record: Record, backbone: Backbone, folder: str, words: CardWords) -> str:
    """The card as text, to be written as UTF-8; folder: the name of the saved folder, for the snippets."""
    made = f"{plain(record.model)}, adapted by {plain(record.method)} with headstart on {plain(record.date)}."
    measured = f"Measured on {general.unseen(record, words.things)}."
    parts = [
        front(record, backbone, folder, pipeline=words.pipeline),
        f"# {plain(record.data)}",
        f"{words.about}: {made}",
        "\n".join(["## Results", "", *_cautions(record), measured, "", *words.results]),
        f"## Intended use\n\n{words.use}",
        listed("Limits", [*words.limits, *_limits(record)]),
        listed("Data", [*_data(record, words.things), *words.more, *_made(record)]),
        _licence(record, backbone),
        "\n\n".join(["## How to load it", *words.loading]),
    ]
    return "\n\n".join(parts) + "\n"


def table_of_metrics(record: Record, baselines: Sequence[str] = ()) -> list[str]:
    """Lines of a table of all figures with their intervals, and of what has to be beaten."""
    return ["| measure | value (95 % interval) |", "|---|---|", *general.rows(record), *baselines]


def table_of_names(record: Record, entries: Sequence[Mapping[str, Any]], title: str) -> list[str]:
    """Lines of a table of the classes, or labels, with what they were learned and tested from; of many the first ones.

    Args:
        entries: of `Scores.details`, each with name, count, precision, recall and F1. title: of the first column.
    """
    learned = record.facts.get("train_counts")  # folders from before have none
    head = [title, *([] if learned is None else ["training examples"]), "test examples", "precision", "recall", "F1"]
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    for each in entries[:_LISTED]:
        figures = [percent(each[key]) for key in ("precision", "recall", "f1")] if each["count"] else ["–"] * 3
        counts = [*([] if learned is None else [f"{learned.get(each['name'], 0):,}"]), f"{each['count']:,}"]
        lines.append(f"| {' | '.join([plain(each['name']), *counts, *figures])} |")
    more = len(entries) - _LISTED
    return [*lines, "", f"and {more:,} more, in `metrics.json`."] if more > 0 else lines


def loading(record: Record, backbone: Backbone, folder: str, ending: str | None) -> list[str]:
    """How to load a linear head: with headstart, by transformers' pipeline where one opens it, and by neither.

    Args:
        ending: what becomes of outputs, in Python (`pretrained.plain_code`); None: nothing is shown without headstart.
    """
    modality, source = general.modality(record), SOURCES[backbone.source]
    ours = f"import headstart as hs\n\nmodel = hs.load({quoted(folder)})\nprint(model.predict({modality.sample}))"
    known = [python(ours), *_by_pipeline(pipeline_of(backbone), folder)]
    if ending is None:
        return known
    return [*known, "Without headstart:", python(source.snippet(backbone, folder, ending, modality.compare))]


def pipeline_of(backbone: Backbone) -> str:
    """The pipeline of transformers that opens a folder with this backbone and its head; empty: none does."""
    return SOURCES[backbone.source].pipeline(backbone.config)


def _by_pipeline(name: str, folder: str) -> list[str]:
    if not name:
        return [
            "`pipeline` of transformers does not open this folder with its head, and gives no answers: none of its "
            "classes puts a linear head on what this one is put on. The code below does."
        ]
    asked = f'print(pipeline({quoted(name)}, model={quoted(folder)})("photo.jpg"))'
    code = f"from transformers import pipeline\n\n{asked}"
    return ["With timm installed, transformers' own pipeline opens it too:", python(code)]


def _cautions(record: Record) -> list[str]:
    """What a reader has to know beside the figures."""
    return [line for caution in record.cautions for line in (f"> **Warning:** {plain(caution.text)}", "")]


def _limits(record: Record) -> Iterator[str]:
    """What holds of any task."""
    counts = [count for count in record.facts.get("train_counts", {}).values() if count]
    if counts and max(counts) > _UNBALANCED * min(counts):
        many = f"from {min(counts):,} to {max(counts):,} training examples"
        named = record.task.words.named
        yield f"The {named} are unbalanced ({many}): look at the recall of each, not at the mean alone."
    doubtful = Counter(finding.kind for finding in record.findings)["doubtful-label"]
    if doubtful:
        many = "1 training label looks" if doubtful == 1 else f"{doubtful:,} training labels look"
        yield f"{many} doubtful, and what is learned from wrong labels is wrong; `report.html` shows them."
    for word, said in sureness.lines({"confidence": record.confidence}):
        yield f"{_SURE[word]} {plain(said)}."
    if record.learning_curve is not None:
        said = more_labels(record.learning_curve, record.task.scorer.metrics, record.n_test)
        yield f"Would more labels help? {said[0].upper()}{said[1:]}."
    yield "The figures hold for data like the test part: measure again on data of your own."
    yield "Do not let it decide alone where a mistake would harm someone."
    yield "What the pre-trained model learned, biases too, is still in it."


def _data(record: Record, things: str) -> Iterator[str]:
    """What it was made from, in counts."""
    yield f"{record.n_train:,} training and {record.n_test:,} test {things}{_same(record)}"
    yield from beside_labels(record)
    counts = list(record.facts.get("train_counts", {}).values())
    if counts:
        each = f"{min(counts):,}" if min(counts) == max(counts) else f"{min(counts):,} to {max(counts):,}"
        yield f"{len(counts):,} {record.task.words.named}, {each} training examples each"
    if not record.n_test:
        yield "nothing was measured"
    elif record.official:
        yield "the training and the test part are as they were given"
    elif not record.out_of_fold:
        yield "the test part was drawn by headstart; what is (nearly) the same, or of one group, is on one side"
    yield f"left out: {record.n_rejected:,}"
    found = Counter(finding.kind for finding in record.findings)
    yield from (f"found while checking: {n:,} × {plain(kind)}" for kind, n in sorted(found.items()))


def _same(record: Record) -> str:
    """Where training and test examples are not two sets, how they are one."""
    if record.out_of_fold:
        return ", the same ones: scored out-of-fold"
    return ", which are among the former: learned from after the score" if record.final else ""


def _made(record: Record) -> Iterator[str]:
    if record.chosen_by is not None:
        yield f"penalty, model and whether to tune were chosen by {plain(record.chosen_by.in_words)}"
    steps = [f"{plain(k)} {v:,.1f}" for k, v in record.seconds.items() if k != "total" and v >= _LEAST_SHOWN]
    if record.seconds:
        total = record.seconds.get("total", sum(record.seconds.values()))
        yield f"made in {total:,.1f} seconds{': ' + ', '.join(steps) if steps else ''}"
    if record.precision is not None:
        kept = "" if record.kept is None else f", and were learned from as kept in {plain(record.kept)}"
        yield f"features are made in {plain(record.precision)} where it was made{kept}"
    if record.versions:
        yield f"made with {', '.join(f'{plain(name)} {plain(number)}' for name, number in record.versions.items())}"


def _licence(record: Record, backbone: Backbone) -> str:
    named = plain(backbone.licence.strip())
    found = (record.licence or licence_of(record.model, backbone.licence))["class"]
    whose = (
        f"The pre-trained weights are under {named}" if named else "The licence of the pre-trained weights is not known"
    )
    said = [f"{whose}: {found}; {meaning(found)}."] if named else [f"{whose}."]
    if found in ("non-commercial", "gated"):
        asked = "the model was named" if record.why == "asked for" else "any licence was allowed"
        said = [f"> **Warning:** {said[0]} headstart chooses no such model by itself: {asked}.", ""]
    return "\n".join(["## Licence", "", *said, "What the data allow is for whoever shares the model to say."])
