"""Multi-label: each example has any number of labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.adapt.sigmoid import SIGMOID
from headstart.backbone import Backbone, Head
from headstart.data.labels.cells import is_one_hot
from headstart.data.labels.column_of_labels import (
    looks_like_label_sets,
    made_of_others,
    of_one_label,
    other_separator,
    separator_in_places,
    separator_of,
    separator_seen,
)
from headstart.data.labels.targets import as_labels, says_none
from headstart.errors import DataError, short_name, some_of
from headstart.evaluate.multilabel import METRICS, evaluate, sigmoid
from headstart.inputs.text import whole_characters
from headstart.pretrained.plain_code import LABELS
from headstart.pretrained.schema import NAME, figure, listing, mapping, number, record
from headstart.report import general
from headstart.report.card import CardWords, card, loading, pipeline_of, table_of_metrics, table_of_names
from headstart.report.markdown import plain
from headstart.report.multilabel import MACRO, advice, baseline, of_all_labels, sections
from headstart.report.verdict import cautions
from headstart.storage.columns import Coded
from headstart.task import Scorer, Scores, Space, Task, Words
from headstart.tasks import linear
from headstart.tasks.certainty import OF_LABELS
from headstart.tasks.directions import of_label
from headstart.tasks.doubts import doubtful_labels
from headstart.tasks.modalities import IMAGE, TEXT
from headstart.values import Caution, Dataset, Examples, Finding

if TYPE_CHECKING:
    from headstart.record import Record

_TITLES = {"image": "image-multilabel", "text": "text-multilabel"}
_NAMES = listing(NAME, most=1_000_000)
_LABEL = record({**linear.FIGURES, "average_precision": figure, "threshold": number()})
_BASELINE = record({"labels": _NAMES, "micro_f1": number(), "macro_f1": number()})
_DETAILS = record({"per_label": listing(_LABEL, most=1_000_000), "baseline": _BASELINE})
_FACTS = record({**linear.NAMED_FACTS, "thresholds": mapping(number(), most=1_000_000)}, linear.TRAIN_COUNTS)


@dataclass(frozen=True)
class Labels:
    """The labels that one input has, with their probabilities; all labels, most probable first, in `top`."""

    labels: tuple[tuple[str, float], ...]
    input: str = ""
    top: tuple[tuple[str, float], ...] = ()
    error: str = ""  # why this input has no labels
    unsure: bool | None = None  # whether it should not be relied on; None: nobody asked (`abstain=`)
    set: tuple[str, ...] | None = None  # always None: sets are of examples of one class
    out_of_scope: bool | None = None  # whether it is like nothing that was learned from; None: not known
    scope_score: float | None = None  # how unlike; the larger, the stranger


def _fits(examples: Examples) -> bool:
    """Raises DataError where some cells say that there is no label, and others seem to hold several."""
    cells = examples.targets
    if _of_one(examples):
        empty = sum(map(says_none, cells))
        if empty:
            what = f"{empty:,} labels are an empty list, and the others have one label each"
            fix = "--task classification leaves the empty ones out; --task multilabel learns that they have no label"
            raise DataError(what, where=examples.name, fix=fix)
        return False
    other = None if examples.separator else other_separator(cells)
    none = next((row for row, cell in enumerate(cells) if says_none(cell)), None)
    if other is not None and none is not None:
        separator, row = other
        what = f"the label is {cells[row]!r}, which seems to be several, and that of {examples.where[none]} is []"
        fix = f"--separator {_typed(separator)} takes it as several; --task classification as one class"
        raise DataError(what, where=examples.where[row], fix=fix)
    return bool(examples.separator or looks_like_label_sets(cells) or separator_of(cells))


def _doubts(examples: Examples) -> tuple[str, ...]:
    """Where cells are taken as classes, though some may be several labels, or say that there is none."""
    cells, notes = examples.targets, list[str]()
    other = other_separator(cells)
    if other is not None:
        separator, row = other
        split = f"--separator {_typed(separator)} takes it as several"
        notes.append(f"labels such as {cells[row]!r} are taken as one class each; {split}")
    elif (made := made_of_others(cells)) is not None:
        separator, row, times = made
        rows = "1 label is put together from others" if times == 1 else f"{times:,} labels are put together from others"
        split = f"--task multilabel --separator {_typed(separator)} takes them as several"
        notes.append(f"{rows}, such as {cells[row]!r}, and taken as classes of their own; {split}")
    if _of_one(examples):
        lists = "each label is a list of one, taken as a class; --task multilabel takes them as lists"
        others = "each row has exactly one label, which is taken as its class"
        notes.append(
            lists if _one_column(examples) else f"{others}; --task multilabel learns each as a label of its own"
        )
    none = sum(map(says_none, cells))
    if none:
        what = f"{none} labels are an empty list, which is no class: such examples are left out"
        notes.append(f"{what}; --task multilabel learns that they have none (--separator where others have several)")
    return tuple(notes)


def _of_one(examples: Examples) -> bool:
    """Whether one column of a table holds lists, none of them of more than one label, or each row has one elsewhere."""
    if not _one_column(examples):
        return is_one_hot(examples.targets)
    present = [cell for cell in examples.targets if cell is not None and cell != ""]
    return examples.separator is None and all(map(of_one_label, present)) and not all(map(says_none, present))


def _one_column(examples: Examples) -> bool:
    return examples.columns is not None and examples.columns.label is not None


def _typed(separator: str) -> str:
    """As it is typed in a shell."""
    return f"${separator!r}" if separator.isspace() and separator != " " else f'"{separator}"'


def _parse(examples: Examples) -> tuple[list[Any], tuple[str, ...]]:
    cells, separator, notes = examples.targets, examples.separator, list[str]()
    if separator is None:
        sets = looks_like_label_sets(cells)
        separator = separator_of(cells) or (None if sets else separator_in_places(cells))
        if separator is not None:
            seen = separator_seen(cells, separator)
            notes = [f"{seen}: each has several labels; --task classification takes each cell as one class"]
        elif sets and any(isinstance(cell, str) for cell in cells):
            notes = [f"{sets}: each has several labels; --task classification takes each cell as one class"]
        elif (other := other_separator(cells)) is not None:
            notes = [f"labels such as {cells[other[1]]!r} are taken as one; --separator {_typed(other[0])} splits them"]
    places = zip(cells, examples.where, strict=True)
    return [as_labels(cell, separator=separator, where=where) for cell, where in places], tuple(notes)


def _complaint(labels: tuple[str, ...] | None) -> tuple[str, str] | None:
    if labels is None:
        return "missing-label", "nothing is said of its labels; an empty list says that it has none"
    damaged = next((label for label in labels if label != whole_characters(label)), None)
    return None if damaged is None else ("damaged-label", f"half a character in its label {damaged!a}")


def _refuse(dataset: Dataset, seen: str) -> None:
    if not dataset.classes:
        raise DataError(f"no example has a label.{seen}", where=dataset.name, fix="name the column: --label COLUMN")
    if all(labels == dataset.targets[0] for labels in dataset.targets):
        what = f"every example has the same labels: {some_of(dataset.targets[0]) or 'none'}.{seen}"
        raise DataError(what, where=dataset.name, fix="add examples with others")


def _space(targets: Sequence[tuple[str, ...] | None]) -> Space:
    there = targets.present if isinstance(targets, Coded) else targets
    return Space(tuple(sorted({label for labels in there for label in labels or ()})))


def _encode(targets: Sequence[tuple[str, ...] | None], space: Space) -> np.ndarray:
    """(n, n_labels) float32 of 0 and 1."""
    if isinstance(targets, Coded):
        return _encode(targets.values, space)[targets.codes]
    index = {name: i for i, name in enumerate(space.names)}
    y = np.zeros((len(targets), len(space.names)), dtype=np.float32)
    for row, labels in enumerate(targets):
        y[row, [index[label] for label in labels or () if label in index]] = 1
    return y


def _strata(y: np.ndarray) -> np.ndarray:
    """(n,) int64: the rarest label that each example has; those without any are one more stratum."""
    order = np.argsort(y.sum(axis=0), kind="stable")
    ranked = y[:, order] > 0
    return np.where(ranked.any(axis=1), order[ranked.argmax(axis=1)] if y.shape[1] else 0, y.shape[1]).astype(np.int64)


def _score(
    head: Head, logits: np.ndarray, dataset: Dataset, rows: np.ndarray, reference: Mapping[str, Any] | None
) -> Scores:
    y = _encode([dataset.targets[row] for row in rows.tolist()], Space(head.classes))
    return evaluate(
        logits,
        y,
        names=head.classes,
        thresholds=np.array(head.thresholds),
        commonest=tuple((reference or {}).get("baseline", {}).get("labels", ())),
        groups=dataset.checked_groups[rows],
        where=[dataset.where[row] for row in rows.tolist()],
        metrics=dataset.task.scorer.metrics,
    )


def _reference(targets: Sequence[tuple[str, ...]]) -> dict[str, Any]:
    """The commonest labels, as many as an example has on average."""
    counts = Counter(label for labels in targets for label in labels)
    many = max(1, round(sum(counts.values()) / max(1, len(targets))))
    commonest = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:many]
    return {"baseline": {"labels": [label for label, _ in commonest]}}


def _known(dataset: Dataset, classes: Sequence[str]) -> tuple[np.ndarray, list[Finding]]:
    """All rows; labels that the model does not know are said, and do not count.

    Raises:
        DataError: it knows none of them.
    """
    mine = set(classes)
    if not mine & set(dataset.classes):
        raise DataError(
            f"none of its labels ({some_of(dataset.classes) or 'none'}) is known to the model",
            where=dataset.name,
            fix=f"the model knows {some_of(classes)}",
        )
    findings = [
        Finding("unknown-label", dataset.where[row], f"label {label!r} is unknown to the model: not counted")
        for row, labels in enumerate(dataset.targets)
        for label in labels
        if label not in mine
    ]
    return np.arange(len(dataset)), findings


def _predictions(
    head: Head, logits: np.ndarray, names: Sequence[str], errors: Mapping[int, str], top: int
) -> list[Labels]:
    thresholds = np.array(head.thresholds)

    def one(name: str, probabilities: np.ndarray) -> Labels:
        order = np.argsort(-probabilities, kind="stable")
        ranked = tuple((head.classes[c], float(probabilities[c])) for c in order)
        given = tuple(pair for c, pair in zip(order, ranked, strict=True) if probabilities[c] >= thresholds[c])
        return Labels(given, name, ranked[: max(1, top)])

    def failed(name: str, why: str) -> Labels:
        return Labels((), name, error=why)

    return linear.predictions(sigmoid(logits), names, errors, one=one, failed=failed)


def _row(p: Labels) -> dict[str, Any]:
    if p.error:
        return {"input": p.input, "error": p.error}
    result = {"labels": p.labels, "top": p.top}
    return (
        {"input": p.input}
        | {
            key: [{"label": name, "probability": round(value, 6)} for name, value in pairs]
            for key, pairs in result.items()
        }
        | linear.sureness_row(p)
    )


def _line(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{short_name(c['label'])} {c['probability']:.2f}" for c in row["labels"]) or "no label"


def _facts(head: Head, dataset: Dataset, rows: np.ndarray) -> dict[str, Any]:
    return {
        "classes": list(head.classes),
        "penalty": head.penalty,
        "temperature": round(head.temperature, 6),
        "thresholds": {c: round(t, 6) for c, t in zip(head.classes, head.thresholds or (), strict=False)},
        "cross_validation": list(head.cross_validation),
        "train_counts": dict(zip(dataset.classes, dataset.counts(rows).tolist(), strict=True)),
    }


def _beside(result: Mapping[str, Any]) -> list[str]:
    b = result["baseline"]
    reached = f"micro F1 {b['micro_f1']:.3f}, macro F1 {b['macro_f1']:.3f}"
    lines = [f"{'commonest labels':24} {reached}  ({some_of(b['labels'])})"]
    lines.append(f"{'all labels':24} macro F1 {of_all_labels(result, result['n_test']):.3f}")
    if result.get("extra_classes"):
        lines.append(f"{'extra':24} labels that the model does not know: {some_of(result['extra_classes'])}")
    if result.get("missing_classes"):
        lines.append(f"{'missing':24} labels without an example: {some_of(result['missing_classes'])}")
    return lines


def _cautions(scores: Scores) -> list[Caution]:
    verdict = general.verdict(scores, MACRO, baseline(scores))
    return cautions(verdict, scores.details["per_label"], named="labels")


def _card(record: Record, backbone: Backbone, head: Head, folder: str) -> str:
    kind, scores = f"{general.modality(record).noun}s", record.scores
    verdict = plain(general.verdict(scores, MACRO, baseline(scores)).text)
    labels = table_of_names(record, scores.details["per_label"], "label")
    words = CardWords(
        about=f"Gives any number of {len(head.classes)} labels to {kind}",
        use=f"Labelling {kind} of the kind it was trained on.",
        limits=[f"It may give none of the labels, or several, also to {kind} of another kind."],
        results=[verdict, "", *table_of_metrics(record), "", *labels],
        more=["a threshold a label, tuned on examples held out"],
        pipeline=pipeline_of(backbone),
        loading=loading(record, backbone, folder, LABELS),
    )
    return card(record, backbone, folder, words)


MULTILABEL = Task(
    name="multilabel",
    modalities={"image": IMAGE, "text": TEXT},
    titles=_TITLES,
    separates=True,
    fits=_fits,
    doubts=_doubts,
    parse=_parse,
    complaint=_complaint,
    refuse=_refuse,
    conflict=lambda mine, other: set(mine) != set(other),
    space=_space,
    encode=_encode,
    strata=_strata,
    unsplit=(
        "each example (or group of nearly the same ones) has a label of its own, so nothing can be tested",
        "add examples that share their labels",
    ),
    learner=linear.learner(SIGMOID),
    scorer=Scorer(
        metrics=METRICS,
        details=_DETAILS,
        mistake=record({"where": NAME, "true": _NAMES, "predicted": _NAMES}),
        reference=_reference,
        score=_score,
        suspects=doubtful_labels,
        known=_known,
        cautions=_cautions,
    ),
    words=Words(
        predictions=_predictions,
        row=_row,
        assured=linear.assured,
        line=_line,
        facts=_facts,
        facts_saved=_FACTS,
        fitted=general.terminal_fit(_beside),
        scored=general.terminal_scores(_beside),
        sections=sections,
        advice=advice,
        target=lambda labels: ", ".join(labels) or "none",
        how_made=lambda record: [("Temperature", f"{record.facts['temperature']:.3f}")],
        card=_card,
        named="labels",
        right="Labels right",
    ),
    keeper=linear.keeper(needs=("thresholds",)),
    certainty=OF_LABELS,
    predictor=linear.LinearPredictor,
    direction=of_label,
    probabilities=sigmoid,
)
