"""The main path: read, check, split, choose, encode, adapt, evaluate, save."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from headstart.adapt import near_duplicates
from headstart.adapt.adapted import Outcome, TrainingPart, declined
from headstart.adapt.basis import Basis, fit_basis
from headstart.adapt.cross_validation import fit_probe
from headstart.choose.choose import plan, require_trainable
from headstart.choose.rank import as_json as ranking_as_json
from headstart.choose.subset import Amount, affordable
from headstart.clock import Budget, seconds_of
from headstart.data.check import check
from headstart.data.columns import Columns
from headstart.data.known import known_images
from headstart.data.questions import has_questions
from headstart.data.read import read, read_with_test
from headstart.data.split import sample, split
from headstart.encode.encode import encode
from headstart.encode.store import image_hashes
from headstart.errors import DataError
from headstart.evaluate.scores import as_json, evaluate
from headstart.fitting import Clock, folder_for, today, tracked, versions
from headstart.model import Model
from headstart.pretrained.load import load
from headstart.progress import Progress, Silent
from headstart.report.provenance import Provenance
from headstart.save import save
from headstart.storage.matrix import take
from headstart.storage.place import reserve_place
from headstart.tracking.track import Record, open_tracker
from headstart.values import Dataset, Features, Finding, Head, Kind, Plan, Scores, Split

_CHOOSING = 0.25  # of the budget
_PER_SECOND = {"image": 100.0, "text": 500.0}  # encoded, where nothing was measured


def fit(  # noqa: PLR0913 - the one public door: every option of the command line is a keyword here
    data: Any,
    labels: Any = None,
    *,
    kind: Kind | None = None,
    model: str | Path = "auto",
    how: str = "auto",
    budget: float | str | None = None,
    test: float | str | Path = 0.2,
    seed: int = 0,
    out: str | Path | None = None,
    force: bool = False,
    columns: Columns | None = None,
    track: str | None = None,
    progress: Progress | None = None,
) -> Model:
    """Adapt a pre-trained model to labelled images or texts, and say how good it is on examples held out.

    Args:
        data: a folder of class folders, a table file, a DataFrame, an Arrow table, a `datasets.Dataset`, or inputs
            (image paths, PIL images, uint8 arrays, texts) with `labels`.
        labels: one a row, where `data` are inputs.
        kind: "image" or "text", where it cannot be seen.
        model: a catalog name, a hub name or a folder; "auto" ranks the models at hand on a sample of the training part
            and takes the cheapest of those that are as good as the best.
        how: "probe": a linear head on frozen features, in seconds. "tune": go on from there and train the upper layers
            too; "full": all layers; "lora": small adapters of frozen layers, for large models (needs peft). "auto":
            tune if there is time, and keep the tuned model only if it is better than the probe on held-out training
            examples, beyond noise.
        budget: wall time from reading to saving, "90s", "2m", "1h" or seconds; None: two minutes. Ranking takes at most
            a quarter of it, or what the first model needs, and encoding a quarter, of texts a tenth, but for a probe:
            of more training examples a sample is encoded, at least 10,000. Tuning takes what is left, and learns from
            texts that were not encoded too. The probe is made in any case.
        test: share of each class that is kept for the test, or a path with the test examples. Official parts in the
            data come first.
        seed: another seed, another split.
        out: folder to save to; without it, data from a path are saved as NAME.headstart here, others are not saved.
        force: replace a folder that headstart saved before.
        columns: which columns of a table hold what.
        track: where the fit is written down too: "mlflow", "mlflow:URI", "tensorboard" or "tensorboard:FOLDER".
        progress: told what goes on.

    Raises:
        UserError: the data, the model, the place to save or to track cannot be used.
    """
    open_, progress = partial(load, progress=progress), progress or Silent()  # a download shows, whoever asked for none
    folder, allowed, model = folder_for(data, out), seconds_of(budget), str(model)
    with reserve_place(folder, force=force) as place:
        record = open_tracker(track, name="headstart" if folder is None else folder.name, out=folder, progress=progress)
        clock, time_left = Clock(record.failed), Budget(allowed)

        with clock("read"), progress.step("read"):
            dataset = _read(data, labels, kind, test, columns)
        with clock("check"), progress.step("check", len(dataset)) as advance:
            dataset = check(dataset, known=known_images(image_hashes(dataset.kind)), advance=advance)
        with clock("split"):
            parts = split(dataset, test=0.2 if isinstance(test, str | Path) else test, seed=seed)
        with clock("choose"):
            opened, some = partial(load, kind=dataset.kind), sample(dataset, parts.train)
            chosen = plan(some, model=model, how=how, load=opened, budget=time_left.share(_CHOOSING), progress=progress)
            backbone = open_(chosen.model, kind=dataset.kind)
            require_trainable(backbone, chosen.how)
        record.parameters(_asked(dataset, backbone.name, how, allowed, seed))
        with clock("amount"):
            amount = affordable(
                dataset, parts, backbone, how=chosen.how, budget=time_left, seed=seed, progress=progress
            )
            whole, everything = dataset, parts
            dataset, parts = _only(whole, replace(parts, train=amount.train))
        with clock("encode"), progress.step("encode", len(dataset)) as advance:
            features = encode(dataset.inputs, dataset.checked_digests, backbone, advance=advance)
        with clock("adapt"), progress.step("adapt") as advance:
            train = _rows(features, parts.train)
            basis = fit_basis(train.matrix)
            parts = _with_lookalikes(dataset, parts, features, basis)
            head = fit_probe(dataset, parts.train, train, basis=basis, seed=seed, advance=advance)
        outcome = declined(chosen.how, len(parts.train), time_left.left, frozen_only=backbone.frozen_only)
        if outcome is None:
            with clock("tune"), progress.step("tune"):
                part = TrainingPart(_learned_from(whole, everything, amount), train, basis, head, backbone, seed)
                reserve = _seconds_to_test(dataset, parts, features, clock)
                outcome = _tuned(part, chosen, time_left, reserve, progress, record)
        tested, used = _rows(features, parts.test), replace(everything, train=amount.train)
        if outcome.backbone is not None and outcome.head is not None:
            with clock("encode tuned"), progress.step("encode", len(parts.test)) as advance:
                held_out, backbone = dataset.take(parts.test), outcome.backbone
                tested = encode(held_out.inputs, held_out.checked_digests, backbone, advance=advance)
                head = replace(outcome.head, features_key=tested.key)
        if outcome.beyond:
            dataset, parts, used = whole, everything, everything
        parts = replace(parts, notes=(*parts.notes, *_sampled(amount, everything, outcome)))
        for note in (*dataset.notes, *parts.notes):
            progress.note(f"note: {note}")
        with clock("evaluate"):
            scores = _evaluate(dataset, parts, tested, head)

        fitted, cached = Model(backbone, head, scores), _cached(features, chosen, amount)
        if place is None:
            fitted = _settled(fitted, outcome, amount)
            summary = _summary(dataset, parts, chosen, outcome, fitted, cached, clock, None)
            return _tracked(record, replace(fitted, summary=summary), clock)
        with clock("save"), progress.step("save"):
            fitted = replace(fitted, summary=_summary(dataset, parts, chosen, outcome, fitted, cached, clock, folder))
            provenance = _provenance(dataset, parts, fitted, chosen, clock)
            fitted = save(fitted, place, dataset=whole, split=used, features=tested, provenance=provenance)
            fitted = _settled(fitted, outcome, amount)
        return _tracked(record, replace(fitted, summary={**fitted.summary, "seconds": clock.seconds()}), clock)


def _read(data: Any, labels: Any, kind: Kind | None, test: float | str | Path, columns: Columns | None) -> Dataset:
    if labels is None and kind is None and columns is None and has_questions(data):
        raise DataError("these are questions about texts, not examples of classes", where="data", fix="hs.fit_reader")
    if isinstance(test, str | Path):
        return read_with_test(data, test, kind=kind, columns=columns)
    return read(data, labels=labels, kind=kind, columns=columns)


def _only(dataset: Dataset, used: Split) -> tuple[Dataset, Split]:
    """The examples that are used, and the same parts of them."""
    rows = np.union1d(used.train, used.test)
    if len(rows) == len(dataset):
        return dataset, used
    kept = replace(dataset.take(rows), findings=dataset.findings, notes=dataset.notes)
    train, test = (np.searchsorted(rows, part) for part in (used.train, used.test))
    return kept, replace(used, train=train, test=test)


def _learned_from(whole: Dataset, everything: Split, amount: Amount) -> Dataset:
    """What tuning may learn from: of texts also those that there was no time to encode, behind the others."""
    rest = np.setdiff1d(everything.train, amount.train) if whole.kind == "text" else amount.train[:0]
    return whole.take(np.concatenate([amount.train, rest]))


def _sampled(amount: Amount, everything: Split, outcome: Outcome) -> tuple[str, ...]:
    """A note, where not all training examples are encoded."""
    n, n_train = len(amount.train), len(everything.train)
    if n == n_train:
        return ()
    how, then = ("encoded", "; tuning chose from all of them") if outcome.beyond else ("used", "")
    why = "each class by its share: encoding all would have taken too much of the budget"
    return (f"{n} of {n_train} training examples are {how}, {why}{then}",)


def _with_lookalikes(dataset: Dataset, parts: Split, features: Features, basis: Basis) -> Split:
    """Report test photos that show the same as a training photo. They stay: a split must not depend on a model."""
    if dataset.kind != "image":
        return parts
    z, y = near_duplicates.directions(basis, features.matrix), dataset.y
    found = near_duplicates.same_as(z[parts.test], y[parts.test], z[parts.train], y[parts.train])
    known = {finding.where for finding in parts.findings}
    rows = {dataset.where[parts.test[a]]: dataset.where[parts.train[b]] for a, b in found.items()}
    findings = [
        Finding("look-alike", where, f"in the test part, and may show the same as {other} in the training part")
        for where, other in rows.items()
        if where not in known
    ]
    if not findings:
        return parts
    note = (
        f"{len(findings)} of {len(parts.test)} test photos look like a crop, an edit or a neighbouring frame of a "
        "training photo, which makes the score too good; they are listed as look-alike in the findings"
    )
    return replace(parts, findings=(*parts.findings, *findings), notes=(*parts.notes, note))


def _tuned(
    part: TrainingPart, plan: Plan, budget: Budget, reserve: float, progress: Progress, record: Record
) -> Outcome:
    from headstart.adapt.tuning import Terms  # loads torch, which the probe on known features does without
    from headstart.adapt.tuning_classes import tune

    return tune(part, Terms(plan.how, budget, reserve, part.seed, progress, record))


def _seconds_to_test(dataset: Dataset, parts: Split, features: Features, clock: Clock) -> float:
    """What encoding the test part with a tuned model will take, from what encoding took."""
    new = len(dataset) - features.cached
    a_second = new / clock.steps["encode"] if new > 100 else _PER_SECOND[dataset.kind]
    return len(parts.test) / a_second


def _settled(model: Model, outcome: Outcome, amount: Amount) -> Model:
    """The model is made: what a killed run would have gone on from is not needed, nor a second copy of the weights. The
    copy goes first: it is the journal that names it."""
    if outcome.backbone is not None and model.folder is not None:
        from headstart.adapt.tuning import settle

        model = replace(model, backbone=settle(model.backbone, model.folder))
    for journal in (outcome.journal, amount.journal):
        if journal is not None:
            journal.remove()
    return model


def _evaluate(dataset: Dataset, parts: Split, tested: Features, head: Head) -> Scores:
    majority = Counter(dataset.labels[row] for row in parts.train.tolist())
    most = min(majority, key=lambda label: (-majority[label], str(label)))
    return evaluate(
        head.logits(tested.matrix),
        dataset.y[parts.test],
        classes=dataset.classes,
        majority_class=str(most),
        where=[dataset.where[row] for row in parts.test],
    )


def _rows(features: Features, rows: np.ndarray) -> Features:
    return replace(features, matrix=take(features.matrix, rows))


def _summary(
    dataset: Dataset,
    parts: Split,
    chosen: Plan,
    outcome: Outcome,
    model: Model,
    cached: float,
    clock: Clock,
    folder: Path | None,
) -> dict[str, Any]:
    """What `fit --json` prints and metrics.json holds."""
    scores, head = model.scores, model.head
    if scores is None:
        raise ValueError("a fitted model has scores")
    findings = (*dataset.findings, *parts.findings)
    return {
        "task": f"{dataset.kind}-classification",
        "model": model.backbone.name,
        "how": outcome.how,
        "why": chosen.why,
        "why_how": outcome.why,
        "tuning": outcome.told or None,
        "ranking": None if chosen.ranking is None else ranking_as_json(chosen.ranking),
        "classes": list(dataset.classes),
        "n_train": len(parts.train),
        "n_test": len(parts.test),
        "n_rejected": len(dataset.rejected),
        **as_json(scores),
        "split": "official" if parts.official else "made",
        "penalty": head.penalty,
        "temperature": round(head.temperature, 6),
        "class_weights": head.class_weights,
        "cross_validation": list(head.cross_validation),
        "findings": [asdict(finding) for finding in findings],
        "notes": [*dataset.notes, *parts.notes],
        "versions": versions(),
        "cached": round(cached, 6),
        "seconds": clock.seconds(),
        "out": None if folder is None else str(folder),
    }


def _cached(features: Features, chosen: Plan, amount: Amount) -> float:
    """Share of the rows that the store had when the fit began: without those that ranking and timing added."""
    known = features.cached - amount.timed
    if chosen.ranking is not None:
        row = next(row for row in chosen.ranking.rows if row.model == chosen.model)
        known -= chosen.ranking.n - row.cached
    return known / max(1, len(features.matrix))


def _asked(dataset: Dataset, model: str, how: str, seconds: float, seed: int) -> dict[str, Any]:
    """What a tracker is told at the beginning; `_tracked` tells it the rest."""
    asked = {"data": dataset.name, "task": f"{dataset.kind}-classification", "model": model, "how_asked": how}
    return {**asked, "budget": seconds, "seed": seed, "classes": len(dataset.classes), "versions": versions()}


def _tracked(record: Record, fitted: Model, clock: Clock) -> Model:
    names = ("accuracy", "macro_f1", "log_loss", "ece", "temperature", "n_train", "n_test", "n_rejected", "penalty")
    with clock("track"):
        tracked(record, fitted.summary, fitted.folder, names)
    return fitted


def _provenance(dataset: Dataset, parts: Split, model: Model, chosen: Plan, clock: Clock) -> Provenance:
    return Provenance(
        title=dataset.name,
        model=model.backbone.name,
        how=model.summary["how"],
        date=today(),
        n_train=len(parts.train),
        n_test=len(parts.test),
        n_rejected=len(dataset.rejected),
        seconds=clock.seconds(),
        notes=(*dataset.notes, *parts.notes),
        findings=(*dataset.findings, *parts.findings),
        cross_validation=model.head.cross_validation,
        temperature=model.head.temperature,
        class_weights=model.head.class_weights,
        ranking=chosen.ranking,
        why_how=model.summary["why_how"],
        tuning=model.summary["tuning"],
    )
