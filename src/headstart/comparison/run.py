"""A comparison from the examples on: what is solved first, then what has to be trained, as far as the budget goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from headstart.adapt.checkpoint import key_of, open_checkpoint
from headstart.backbone import Backbone
from headstart.choose.choose import choose
from headstart.clock import Budget
from headstart.comparison.comparison import Comparison, Row
from headstart.comparison.contest import Contest
from headstart.comparison.equivalent import PROBE, SCRATCH, equivalent
from headstart.comparison.feeds import FED
from headstart.comparison.journal import Journal
from headstart.comparison.policy import COMPARING, ComparingPolicy
from headstart.comparison.scratch import FromScratch, in_time
from headstart.comparison.subsets import orders, points
from headstart.comparison.ways import Way, ways_of
from headstart.data.sampling import drawn
from headstart.encode.encode import encode_rows
from headstart.encode.engines import device
from headstart.encode.machine import limit_torch
from headstart.errors import DataError, UserError
from headstart.session import Session
from headstart.task import Metric
from headstart.values import Dataset, Request, Split

_FORM = 2  # of what is written down: raise it when a way of learning changes
_LEAST = 1e-6  # seconds: less is none
_TIMED = 32  # examples that encoding is timed on


@dataclass(frozen=True)
class _Cell:
    """A model that is to be made."""

    way: Way
    labels: int
    seed: int
    share: float  # of the time that is left, of those of all cells that are trained; 0: it takes seconds

    @property
    def name(self) -> str:
        return f"{self.way.key}-{self.labels}-{self.seed}"


def compare(
    dataset: Dataset,
    parts: Split,
    request: Request,
    session: Session,
    *,
    seeds: int,
    policy: ComparingPolicy = COMPARING,
) -> Comparison:
    """Learn checked examples in several ways from more and more labels.

    Args:
        seeds: how many orders of the labels, and starts of training, there are.
        policy: the numbers that it goes by.

    Raises:
        UserError: the task cannot be compared, or the model cannot be used.
        DataError: there are too few examples to compare anything on.
    """
    metric = _metric(dataset)
    name = dataset.modality.default_model if request.model == "auto" else request.model
    with session.step("choose", shown=False):
        plan = choose(dataset, parts.train, replace(request, model=name, method="auto"), session)
    test = np.sort(drawn(dataset, parts.test)[: policy.most_tested])
    rows = np.union1d(plan.train, test)
    with session.step("encode", len(rows)) as advance:
        features = encode_rows(dataset, rows, plan.backbone, advance=advance)
    contest = Contest(
        dataset,
        plan.train,
        test,
        plan.backbone,
        features,
        metric,
        _seconds_an_example(dataset, plan.train, plan.backbone, session),
        session.budget,
        lambda: session.progress.stopped,
        session.progress.tell,
        policy,
    )
    by_seed = orders(dataset, plan.train, range(seeds))
    kept, left_out = points(dataset, by_seed, policy)
    if not kept:
        fix = "label more examples; each class needs one in the training part"
        raise DataError(f"{len(plan.train)} examples to learn from are too few to compare", where=dataset.name, fix=fix)
    limit_torch()
    made_by = ["comparison", _FORM, repr(policy), plan.backbone.function, device(), metric.key]
    checkpoint = open_checkpoint(key_of(dataset.checked_digests, dataset.y, [*made_by, rows.tobytes(), test.tobytes()]))
    try:
        compared = _compared(contest, Journal(checkpoint, policy.enough), by_seed, kept, session)
    finally:
        checkpoint.release()  # the rows stay: more time later adds to them
    if plan.checkpoint is not None:
        plan.checkpoint.remove()
    said = (*_said(dataset, parts, contest, left_out), *plan.notes, *compared.notes)
    return replace(
        compared,
        findings=(*dataset.findings, *parts.findings),
        notes=said,
        cautions=(*dataset.cautions, *parts.cautions),
        seconds=session.took(),
    )


def _metric(dataset: Dataset) -> Metric:
    """What is compared: the task's first metric that every example adds its part to.

    Raises:
        UserError: there is none, or no other way to learn the task.
    """
    task, why = dataset.task, "a model from scratch would have to learn to read first"
    if task.learner.family is not None:
        for metric in task.scorer.metrics:
            if metric.costs is not None:
                return metric
        why = "none of its metrics says what one example adds to it"
    what = f"{dataset.title} is not compared: {why}"
    raise UserError(what, where="--task", fix="compare takes classes, labels and numbers")


def _compared(
    contest: Contest, journal: Journal, by_seed: dict[int, np.ndarray], kept: Sequence[int], session: Session
) -> Comparison:
    dataset, clusters = contest.dataset, contest.dataset.clusters
    planned = {(key, part): weight for key, part, weight in contest.policy.planned}
    share = planned[SCRATCH, 1.0] / sum(planned.values())
    scratch = FromScratch(contest)
    if not contest.backbone.frozen_only and contest.left > contest.shortest:
        with session.step("time"):
            scratch = in_time(contest, contest.train, share * contest.left, journal)
    ways = ways_of(contest, scratch)
    cells = list(_cells(ways, by_seed, kept, contest))
    rows: list[Row] = []
    notes: list[str] = []
    with session.step("compare", len(cells)) as advance:
        for number, cell in enumerate(cells):
            contest.tell(f"{cell.way.title}, {cell.labels:,} labels, seed {cell.seed}")
            seconds = _seconds_for(cell, cells[number:], contest, of=len(cells))
            name = f"{cell.name}-{round(100 * scratch.detail)}" if cell.way.key == SCRATCH else cell.name
            row = journal.row(name, seconds)
            if row is None:
                row = _row(contest, cell, by_seed[cell.seed][: cell.labels], seconds, notes)
                if row is not None and not contest.stopped():  # else it is of a run that was cut short by the user
                    journal.write(name, row)
            rows += [] if row is None else [row]
            advance(1)
    of = {key: [row for row in rows if row.way == key] for key in (PROBE, SCRATCH)}
    groups = None if clusters is None else clusters[contest.test]
    worth, note = equivalent(of[PROBE], of[SCRATCH], groups)
    if worth is None:
        note = f"not said how many labels a model from scratch would need: {note}"
    notes += [note] if note else []
    return Comparison(
        data=dataset.name,
        title=dataset.title,
        model=contest.backbone.name,
        metric=contest.metric,
        n_classes=len(dataset.classes),
        n_test=len(contest.test),
        ways={way.key: way.title for way in ways},
        rows=tuple(rows),
        equivalent=worth,
        budget=session.budget.seconds,
        seconds={},
        notes=(*_of_detail(contest, scratch.detail), *_of_time(cells, rows, session.budget), *notes),
    )


def _cells(
    ways: Sequence[Way], by_seed: dict[int, np.ndarray], kept: Sequence[int], contest: Contest
) -> Iterator[_Cell]:
    """All models that there may be time for: those that are solved first, few labels first; then seed by seed as
    planned. What is solved is the same for all seeds where it has all labels."""
    n = len(contest.train)
    for seed in by_seed:
        for way in (way for way in ways if not way.trains):
            yield from (_Cell(way, labels, seed, 0.0) for labels in kept if labels < n or seed == 0)
    trained = {way.key: way for way in ways if way.trains}
    for seed in by_seed:
        done: set[tuple[str, int]] = set()
        for key, part, share in contest.policy.planned:
            labels = max(1, round(part * n))
            if key in trained and labels in kept and (key, labels) not in done and labels >= trained[key].fewest:
                done.add((key, labels))
                yield _Cell(trained[key], labels, seed, share)


def _seconds_for(cell: _Cell, rest: Sequence[_Cell], contest: Contest, *, of: int) -> float:
    """Of what is left for this seed, as much as is planned, but enough to train at all; 0 where there is less. What is
    solved may have all."""
    left = contest.left
    if not cell.way.trains:
        return max(left, _LEAST if len(rest) == of else 0.0)  # the first is made in any case
    if left < contest.shortest:
        return 0.0
    return max(contest.shortest, left * cell.share / sum(other.share for other in rest if other.seed == cell.seed))


def _row(contest: Contest, cell: _Cell, rows: np.ndarray, seconds: float, notes: list[str]) -> Row | None:
    """None where there was no time for it, or the examples say that it cannot be."""
    if seconds <= 0:
        return None
    try:
        outcome = cell.way.run(np.sort(rows), cell.seed, Budget(seconds, contest.budget.now))
    except DataError as error:
        notes.append(f"{cell.way.title}, {cell.labels:,} labels: {error.what}")
        return None
    if outcome is None or not np.isfinite(outcome.outputs).all():
        return None
    costs = contest.costs(outcome)
    return Row(
        way=cell.way.key,
        labels=cell.labels,
        seed=cell.seed,
        figure=contest.metric.figure(float(costs.mean())),  # of the very costs that the interval is drawn from
        seconds=outcome.seconds,
        costs=tuple(round(cost, 6) for cost in costs.tolist()),
        epochs=outcome.epochs,
        loss=outcome.loss,
        levelled_off=outcome.levelled_off,
        allowed=seconds if cell.way.trains else None,
    )


def _seconds_an_example(dataset: Dataset, rows: np.ndarray, backbone: Backbone, session: Session) -> float:
    """That encoding takes here; by a few that are encoded again, since the store may know them all."""
    some = rows[np.unique(np.linspace(0, len(rows) - 1, min(_TIMED, len(rows))).astype(np.int64))]
    encode_rows(dataset, some[:1], backbone, keep=False)  # the engine is opened
    begun = session.now()
    encode_rows(dataset, some, backbone, keep=False)
    return (session.now() - begun) / len(some)


def _said(dataset: Dataset, parts: Split, contest: Contest, left_out: Sequence[int]) -> Iterator[str]:
    """What was assumed of the examples."""
    yield from (*dataset.notes, *parts.notes)
    if len(contest.train) < len(parts.train):
        what = f"all labels are {len(contest.train):,} of the {len(parts.train):,} there are"
        yield f"{what}: encoding more would take too much of the budget; --budget gives it more"
    if len(contest.test) < len(parts.test):
        yield f"tested on {len(contest.test):,} of {len(parts.test):,} test examples, each class by its share"
    if left_out:
        numbers = ", ".join(f"{labels:,}" for labels in left_out)
        named = dataset.task.words.named if dataset.classes else "examples"
        yield f"left out, since not all {named} would have a label: {numbers} labels"
    if contest.backbone.frozen_only:
        yield "an ONNX model can neither be tuned nor trained from scratch: name the model that it was exported from"


def _of_detail(contest: Contest, detail: float) -> Iterator[str]:
    if detail < 1:
        seen = FED[contest.backbone.kind].smaller(contest.backbone, detail).images.size[0]
        what = f"the model from scratch sees photos of {seen} pixels a side, not {contest.backbone.images.size[0]}"
        yield f"{what}: in this budget it could not level off otherwise; a longer --budget gives it all of them"


def _of_time(cells: Sequence[_Cell], rows: Sequence[Row], budget: Budget) -> Iterator[str]:
    """What there was no time for."""
    falling = [row for row in rows if row.levelled_off is False]
    if falling:
        numbers = ", ".join(f"{labels:,}" for labels in sorted({row.labels for row in falling}))
        yield f"cut short while its loss was still falling: the model from scratch, with {numbers} labels"
    missing = len(cells) - len(rows)
    if missing:
        yield (
            f"{missing} of {len(cells)} models had no room in a budget of {budget.seconds:.0f} s; the same command "
            "with a longer --budget, and another --out, makes them and keeps the rest"
        )
