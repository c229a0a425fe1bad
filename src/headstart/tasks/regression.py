"""Regression: the target of each example is a number."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.adapt.ridge import GAUSSIAN
from headstart.backbone import Backbone, Head
from headstart.data.labels.cells import is_one_hot
from headstart.data.labels.column_of_labels import almost_numbers, looks_like_numbers
from headstart.data.labels.targets import as_class, as_number
from headstart.data.labels.written_numbers import numbers_as_classes, perhaps_thousands, signs_of_numbers
from headstart.errors import DataError
from headstart.evaluate.conformal import LEVEL
from headstart.evaluate.regression import METRICS, evaluate
from headstart.pretrained.plain_code import NUMBER
from headstart.pretrained.schema import COUNT, NAME, listing, maybe, number, record
from headstart.report import general
from headstart.report.card import CardWords, card, loading, table_of_metrics
from headstart.report.document import Section
from headstart.report.gallery import NO_EXAMPLES, Gallery
from headstart.report.html import amount, breakable, table
from headstart.report.markdown import plain
from headstart.report.page import mistakes
from headstart.report.verdict import cautions
from headstart.task import Scorer, Scores, Sureness, Task, Words, rounded
from headstart.tasks import linear
from headstart.tasks.certainty import OF_NUMBERS
from headstart.tasks.directions import of_number
from headstart.tasks.doubts import doubtful_numbers
from headstart.tasks.modalities import IMAGE, PAIR, TEXT
from headstart.values import Caution, Dataset, Examples

if TYPE_CHECKING:
    from headstart.record import Record

_STRATA = 10  # tenths of the targets, which parts and folds have in equal shares
_OF_EACH = 10  # targets in such a part, at least
_LARGEST = 1e30  # a head's numbers are float32, which ends at 3e38
_STEPS = 20  # of float32, at the targets' size, within their deviation at least: predictions are multiples of one
_FARTHEST = 1e9  # times as far from the median as most targets, at most: beside one such the others are all alike
_MOST_OF_THEM = 0.9
_TITLES = {"image": "image-regression", "text": "text-regression", "pair": "text-pair-regression"}
_FACTS = record({**linear.FACTS, "width": maybe(number(low=0)), "mean": number(), "deviation": number(above=0)})
_BIN = record({"low": number(), "high": number(), "count": COUNT, "mae": number(), "bias": number()})
_BASELINE = record({"mean": number(), "mae": number(low=0), "rmse": number(low=0)}, {"r2": number()})
_DETAILS = record({"baseline": _BASELINE, "bins": listing(_BIN, most=1000)})
_R2 = next(metric for metric in METRICS if metric.key == "r2")


@dataclass(frozen=True)
class Estimate:
    """The number that a model gives to one input, with the interval that holds nine of ten, or as many as were asked
    for."""

    value: float
    interval: tuple[float, float]
    input: str = ""
    error: str = ""  # why this input has no value
    unsure: bool | None = None  # whether it should not be relied on; None: nobody asked (`abstain=`)
    set: tuple[float, ...] | None = None  # the ends of the interval; None: nobody asked (`coverage=`)
    out_of_scope: bool | None = None  # whether it is like nothing that was learned from; None: not known
    scope_score: float | None = None  # how unlike; the larger, the stranger
    coverage: float = LEVEL  # the share of the numbers that the interval is to hold


def _fits(examples: Examples) -> bool:
    """Raises DataError where nearly all targets are numbers, or are so but for how they are written."""
    if _of_columns(examples):
        return False
    row = almost_numbers(examples.targets)
    if row is not None:
        what = f"the label is {examples.targets[row]!r}, and nearly all others are numbers"
        fix = "repair it to predict numbers; or --task classification takes each value as a class"
        raise DataError(what, where=examples.where[row], fix=fix)
    if looks_like_numbers(examples.targets):
        _refuse_thousands(examples)
        return True
    _refuse_lone(examples)
    return False


def _of_columns(examples: Examples) -> bool:
    """Whether the labels are the numbers of an array's columns, of which each row has one."""
    cells = examples.targets
    return is_one_hot(cells) and all(str(cell[0]).isdigit() and type(cell[0]) is str for cell in cells if cell)


def _refuse_thousands(examples: Examples) -> None:
    """Raises DataError where 1.008 stands beside 980 and may be more than it."""
    number, cells = perhaps_thousands(examples.targets), enumerate(examples.targets)
    row = next((row for row, cell in cells if isinstance(cell, str) and cell.strip() == number), None)
    if number is not None and row is not None:
        what = f"the label is {number!r}: each fraction has three digits, and no whole number more, as with thousands"
        fix = f"write {number.replace('.', '')} if it is that; --task regression takes {number[-3:]} as a fraction"
        raise DataError(what, where=examples.where[row], fix=fix)


def _refuse_lone(examples: Examples) -> None:
    """Numbers that would make classes of one example each.

    Raises:
        DataError: numbers with signs, of which one occurs once or all are the same; or plain ones of which fewer than
            two recur.
    """
    count, row = numbers_as_classes(examples.targets), signs_of_numbers(examples.targets)
    once = sum(times == 1 for times in count.values())
    few, as_classes = len(count) - once < 2, "--task classification takes each value as a class"
    if row is not None and (once or few):
        what = f"the label is {as_class(examples.targets[row])!r}: like most, a number that is not written as one"
        fix = f"to predict numbers, write 1234.5: no sign or unit, a point before the fraction; {as_classes}"
        raise DataError(what, where=examples.where[row], fix=fix)
    if row is None and once and few:
        what = f"the labels are {count.total():,} numbers, of which {once:,} occur once: too few of each to be classes"
        raise DataError(what, where=examples.name, fix=f"--task regression predicts numbers; {as_classes}")


def _doubts(examples: Examples) -> tuple[str, ...]:
    """Where numbers are taken as classes."""
    count, row = numbers_as_classes(examples.targets), signs_of_numbers(examples.targets)
    if not count or _of_columns(examples):
        return ()
    once = sum(times == 1 for times in count.values())
    left_out = f", {once:,} of which occur once and are left out" if once else ""
    written = "" if row is None else ", once they are written as 1234.5"
    what = f"{count.total():,} numbers are taken as {len(count):,} classes{left_out}"
    return (f"{what}; --task regression predicts numbers{written}",)


def _parse(examples: Examples) -> tuple[Sequence[Any], tuple[str, ...]]:
    values, _ = linear.cells(as_number)(examples)
    seen = looks_like_numbers(examples.targets)
    note = f"the label is taken as a number ({seen}); --task classification takes its values as classes"
    notes = [note] if seen else []
    example = perhaps_thousands(examples.targets)
    if example is not None:
        written = example.replace(".", "")
        notes.append(f"{example} and the like may be thousands (then write {written}): each fraction has three digits")
    return values, tuple(notes)


def _complaint(value: float | None) -> tuple[str, str] | None:
    if value is None:
        return "missing-label", "no number"
    return ("damaged-label", f"{value:g} is too large to learn from") if abs(value) > _LARGEST else None


def _refuse(dataset: Dataset, seen: str) -> None:
    if all(value == dataset.targets[0] for value in dataset.targets):
        what = f"every target is {dataset.targets[0]:g}: there is nothing to learn.{seen}"
        raise DataError(what, where=dataset.name, fix="choose another column: --label COLUMN")
    values = np.array(dataset.targets)
    deviation, middle = float(values.std()), float(np.median(values))
    if _STEPS * np.spacing(np.float32(np.abs(values).max())) > deviation:
        what = f"the targets differ by about {deviation:.4g} around {middle:.10g}: too little for a model in float32"
        raise DataError(what, where=dataset.name, fix=f"subtract {middle:.10g} from each, and learn what is left")
    away = np.abs(values - middle)
    far, usual = int(away.argmax()), float(np.quantile(away[away > 0], _MOST_OF_THEM))
    if away[far] > _FARTHEST * usual:
        what = f"the target {values[far]:g} is {away[far] / usual:.0e} times as far from {middle:.10g} as most are"
        raise DataError(what, where=dataset.where[far], fix="correct it, or leave the row out: it would decide all")


def _strata(y: np.ndarray) -> np.ndarray:
    """(n,) int64 tenth of the targets that each is in; of few, a coarser part, so that each holds ten."""
    n = int(np.clip(len(y) // _OF_EACH, 1, _STRATA))
    edges = np.unique(np.quantile(y, np.linspace(0, 1, n + 1)[1:-1]))
    return np.searchsorted(edges, y, side="right").astype(np.int64)


def _score(
    head: Head, outputs: np.ndarray, dataset: Dataset, rows: np.ndarray, reference: Mapping[str, Any] | None
) -> Scores:
    y = np.array([dataset.targets[row] for row in rows.tolist()], dtype=np.float64)
    mean = float((reference or {}).get("mean", head.mean))
    where = [dataset.where[row] for row in rows.tolist()]
    groups = dataset.checked_groups[rows]
    return evaluate(
        outputs[:, 0],
        y,
        mean=mean,
        width=head.width or 0.0,
        groups=groups,
        clusters=None if dataset.clusters is None else groups,
        where=where,
        metrics=dataset.task.scorer.metrics,
    )


def _predictions(
    head: Head, outputs: np.ndarray, names: Sequence[str], errors: Mapping[int, str], top: int
) -> list[Estimate]:
    width = head.width or 0.0

    def one(name: str, value: float) -> Estimate:
        return Estimate(value, (value - width, value + width), name)

    def failed(name: str, why: str) -> Estimate:
        return Estimate(np.nan, (np.nan, np.nan), name, why)

    return linear.predictions(outputs[:, 0].tolist(), names, errors, one=one, failed=failed)


def _row(p: Estimate) -> dict[str, Any]:
    if p.error:
        return {"input": p.input, "error": p.error}
    result = {"input": p.input, "value": rounded(p.value), "interval": [rounded(end) for end in p.interval]}
    asked = {} if p.set is None else {"coverage": p.coverage}
    return result | asked | linear.sureness_row(p)


def _assured(p: Estimate, sureness: Sureness) -> Estimate:
    """Where a coverage was asked for, the interval is of that."""
    p = linear.assured(p, sureness)
    if sureness.set is None or sureness.coverage is None:
        return p
    low, high = (rounded(end) for end in sureness.set)
    return replace(p, interval=(low, high), set=(low, high), coverage=sureness.coverage)


def _line(row: Mapping[str, Any]) -> str:
    low, high = row["interval"]
    value, low, high = (_shown(number, (high - low) / 2) for number in (row["value"], low, high))
    return f"{value} ({100 * row.get('coverage', LEVEL):.3g} % interval {low} to {high})"


def _shown(value: float, spread: float) -> str:
    """Four digits that count; more of a number that is large beside what it may differ by."""
    size = abs(value) / spread if spread else 0.0
    return f"{value:.{max(4, math.ceil(math.log10(size)) + 2) if size else 4}g}"


def _facts(head: Head, dataset: Dataset, rows: np.ndarray) -> dict[str, Any]:
    return {
        "penalty": head.penalty,
        "width": None if head.width is None else rounded(head.width),
        "mean": rounded(head.mean),
        "deviation": rounded(head.deviation),
        "cross_validation": list(head.cross_validation),
    }


def _baseline(scores: Scores) -> general.Baseline:
    # Not always 0, which is R² of the test part's own mean; records of before do not have it.
    r2 = scores.details["baseline"].get("r2", 0.0)
    return general.Baseline("always giving the mean of the training targets", "the mean", r2)


def _beside(result: Mapping[str, Any]) -> list[str]:
    b = result["baseline"]
    mean = _shown(b["mean"], b["rmse"])
    return [f"{'the mean':24} MAE {amount(b['mae'])}, RMSE {amount(b['rmse'])}  (always giving {mean})"]


def _cautions(scores: Scores) -> list[Caution]:
    return cautions(general.verdict(scores, _R2, _baseline(scores)))


def _sections(record: Record, gallery: Gallery = NO_EXAMPLES) -> Iterator[Section]:
    """Errors against those of the mean, then the largest ones, and by size of the target."""
    scores = record.scores
    b, spread = scores.details["baseline"], record.facts["deviation"]
    yield general.headline(record, _R2, _baseline(scores))
    note = "Worth a look: some targets may be wrong."
    listed = partial(_mistake_table, spread=spread)
    yield mistakes(gallery, scores.mistakes, listed, title="Largest errors", note=note)
    rows = (
        f'<td class="nowrap">{_shown(part["low"], spread)} to {_shown(part["high"], spread)}</td>'
        f'<td class="n">{gallery.opener(f"bin-{number}", format(part["count"], ","), of="targets of this size")}</td>'
        f'<td class="n">{amount(part["mae"])}</td><td class="n">{"+" * (part["bias"] > 0)}{amount(part["bias"])}</td>'
        for number, part in enumerate(scores.details["bins"])
    )
    head = ("Target", "Test examples", "Mean absolute error", "Mean of predicted - true")
    note = "Whether large and small targets are met alike."
    yield Section("By size of the target", table(head, rows, label="Errors by target", numbers=(1, 2, 3)), note)
    mean = [("Always the mean", amount(b["mae"]), "mean absolute error of giving the training targets' mean")]
    yield general.others(record, beside=["r2"], baseline=mean)


def _mistake_table(some: Sequence[Mapping[str, Any]], *, spread: float) -> str:
    rows = (
        f'<td class="where">{breakable(m["where"])}</td><td class="n">{_shown(m["true"], spread)}</td>'
        f'<td class="n">{_shown(m["predicted"], spread)}</td>'
        for m in some
    )
    return table(("Example", "Target", "Model's answer"), rows, label="Largest errors", numbers=(1, 2))


def _how_made(record: Record) -> list[tuple[str, str]]:
    f = record.facts
    return [
        ("90 % interval", f"prediction ± {f['width']:.4g}" if f["width"] is not None else "none"),
        ("Training targets", f"mean {_shown(f['mean'], f['deviation'])}, standard deviation {f['deviation']:.4g}"),
    ]


def _card(record: Record, backbone: Backbone, head: Head, folder: str) -> str:
    kind, deviation = f"{general.modality(record).noun}s", record.facts["deviation"]
    mean = f"| always giving the mean | MAE {amount(record.scores.details['baseline']['mae'])} |"
    verdict = general.verdict(record.scores, _R2, _baseline(record.scores)).text
    words = CardWords(
        about=f"Gives a number to {kind}",
        use=f"Estimating the number that it was trained on for {kind} of the same kind.",
        limits=[
            "It knows nothing of numbers far outside those of the training part, whose mean is "
            f"{_shown(head.mean, deviation)} and whose standard deviation is {deviation:.4g}.",
            "The interval is as wide for hard examples as for easy ones.",
        ],
        results=[plain(verdict), "", *table_of_metrics(record, [mean])],
        more=[f"the interval that is to hold nine of ten values is ± {head.width or 0.0:.4g}, from examples held out"],
        loading=loading(record, backbone, folder, NUMBER),
    )
    return card(record, backbone, folder, words)


REGRESSION = Task(
    name="regression",
    modalities={"image": IMAGE, "text": TEXT, "pair": PAIR},
    titles=_TITLES,
    fits=_fits,
    doubts=_doubts,
    parse=_parse,
    complaint=_complaint,
    refuse=_refuse,
    encode=lambda targets, space: np.fromiter((np.nan if v is None else v for v in targets), np.float32, len(targets)),
    strata=_strata,
    learner=linear.learner(GAUSSIAN, loss=("rmse", "r2")),
    scorer=Scorer(
        metrics=METRICS,
        details=_DETAILS,
        mistake=record({"where": NAME, "true": number(), "predicted": number()}),
        reference=lambda targets: {"mean": float(np.mean(targets))},
        score=_score,
        suspects=doubtful_numbers,
        cautions=_cautions,
    ),
    words=Words(
        predictions=_predictions,
        row=_row,
        assured=_assured,
        line=_line,
        facts=_facts,
        facts_saved=_FACTS,
        fitted=general.terminal_fit(_beside),
        scored=general.terminal_scores(_beside),
        sections=_sections,
        target="{:.4g}".format,
        how_made=_how_made,
        card=_card,
        right="Within a quarter of a deviation",
        loss="squared error (in deviations)",
    ),
    keeper=linear.keeper(needs=("width", "mean", "deviation")),
    certainty=OF_NUMBERS,
    predictor=linear.LinearPredictor,
    direction=of_number,
    probabilities=None,
)
