"""Claims: sets hold the true class as often as asked; what is answered is as right as asked; strangers are told.

    python bench/confidence.py DATA... [--size 25] [--resplits 100] [--refits 100]
    python bench/confidence.py --tuned DATA [--size 200] [--refits 3] [--budget 70s]
    python bench/confidence.py --strangers FOLDER DATA [--size 10] [--draws 5]
    python bench/confidence.py --left-out 20 DATA [--size 5] [--draws 5]

DATA is a folder or a table, or TRAIN:TEST, whose parts are put together. First, the guarantee by itself: what one probe
says of each example while it is held out is parted in halves, again and again, one for the bar and one to ask about.
Then as a user has it: in each refit so many examples a class are learned from (without --size, all but a fifth), and at
most 3,000 others are asked about. How many have their class in the set at 90 %, as it is promised and as sets are given
(no set is empty); how large sets are; whether an accuracy that was asked for was reached. Strangers are photos of a
folder, or the examples of classes that were left out. Heads are on frozen features, as of `fit --how probe`; of
`fit --how tune`, where that is asked for, the share of ordinary examples that are called strangers counts as much.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from common import arguments, asked, drawn, encoded, in_parts, photos

import headstart
from headstart.adapt.basis import fit_basis
from headstart.adapt.cross_validation import fit_probe
from headstart.adapt.lesson import Adapted, HeldOutputs
from headstart.backbone import Features, Head
from headstart.clock import UNLIMITED
from headstart.confidence.confidence import Confidence
from headstart.confidence.measure import measure
from headstart.data.check import check
from headstart.encode.encode import encode_rows
from headstart.errors import UserError
from headstart.evaluate.abstain import promised_part
from headstart.evaluate.metrics import softmax
from headstart.evaluate.out_of_scope import auroc
from headstart.evaluate.prediction_sets import bar, chances, nonconformity, sets
from headstart.session import Session
from headstart.values import Dataset, Wanted

ACCURACIES = (0.8, 0.9, 0.95, 0.98)
COVERAGE, MOST = 0.9, 3000


def fitted(dataset: Dataset, features: Features, rows: np.ndarray, seed: int) -> tuple[Adapted, Confidence]:
    """The probe of these rows, and how sure it is."""
    some = Features(features.matrix[:][rows], features.key, 0)
    probed = fit_probe(dataset, rows, some, basis=fit_basis(some.matrix), seed=seed)
    held = HeldOutputs(rows, probed.outputs)
    adapted = Adapted(None, probed.head, "probe", "", replace(some, rows=rows), rows, calibration=held)
    return adapted, measure(dataset, adapted, Session(UNLIMITED))


def parts(dataset: Dataset, size: int | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from, so many a class, and others."""
    everything, rng = np.arange(len(dataset)), np.random.default_rng(seed)
    rows = (
        drawn(dataset, everything, size, seed) if size else np.sort(rng.permutation(everything)[: -len(dataset) // 5])
    )
    return rows, rng.permutation(np.setdiff1d(everything, rows))[:MOST]


def halves(dataset: Dataset, features: Features, resplits: int) -> None:
    """Calibrated on one half of held-out outputs, and asked about the other."""
    everything, by_class = np.arange(len(dataset)), dataset.y
    probed = fit_probe(dataset, everything, features, basis=fit_basis(features.matrix))
    p, chance = softmax(probed.outputs), chances(dataset.checked_digests)
    scored = nonconformity(p, chance)[everything, by_class]
    confidence, right = p.max(axis=1), p.argmax(axis=1) == by_class
    found, reached = [], {accuracy: list[tuple[bool, float]]() for accuracy in ACCURACIES}
    for seed in range(resplits):
        order = np.random.default_rng(seed).permutation(everything)
        held, asked_of = order[::2], order[1::2]
        limit = bar(scored[held], chance[held], COVERAGE)
        below = scored[asked_of] < limit.score
        ties = (scored[asked_of] == limit.score) & (chance[asked_of] <= limit.chance)
        given = sets(p[asked_of], chance[asked_of], [limit])
        true = given[np.arange(len(asked_of)), by_class[asked_of]]
        found.append(((below | ties).mean(), true.mean(), given.sum(axis=1).mean()))
        for accuracy, kept in reached.items():
            part = promised_part(confidence[held], right[held], accuracy)
            if part is not None:
                batch = asked_of[: len(held) // 4]
                sure = batch[confidence[batch] >= part.threshold]
                kept.append((right[sure].mean() >= accuracy if len(sure) else True, len(sure) / len(batch)))
    print(f"{dataset.name}, {len(dataset):,} examples held out, {resplits} resplits in halves")
    listed(("coverage", "of sets as given", "classes in a set"), found)
    for accuracy, kept in reached.items():
        if kept:
            times, share = sum(one for one, _ in kept), np.mean([share for _, share in kept])
            print(
                f"  {accuracy:.0%} right: promised in {len(kept)}, kept in {times}, answering {share:.0%}", flush=True
            )


def listed(names: Sequence[str], found: Sequence[Sequence[float]]) -> None:
    for name, values in zip(names, zip(*found, strict=True), strict=True):
        print(f"  {name:18} {np.mean(values):.4f}  ({np.min(values):.3f} to {np.max(values):.3f})", flush=True)


@dataclass(frozen=True)
class Asked:
    """A model, and examples that it has never seen."""

    head: Head
    confidence: Confidence
    learned: int  # how many examples it was made from
    rows: np.ndarray  # of the others
    x: np.ndarray  # (n, d) what its backbone makes of them


def frozen(dataset: Dataset, features: Features, size: int | None, seed: int) -> Asked:
    rows, others = parts(dataset, size, seed)
    adapted, confidence = fitted(dataset, features, rows, seed)
    return Asked(adapted.head, confidence, len(rows), others, features.matrix[:][others])


def tuned(dataset: Dataset, size: int | None, budget: str, seed: int) -> Asked:
    """As a user makes one, its test part within these examples; others than that are asked about."""
    rows, others = parts(dataset, size, seed)
    inputs, targets = ([whole[row] for row in rows.tolist()] for whole in (dataset.inputs, dataset.targets))
    model = headstart.fit(inputs, targets, how="tune", budget=budget, seed=seed)
    if model.record.method == "probe":
        print(f"draw {seed} is a probe: {model.record.why_method}", flush=True)
    others = np.sort(others)
    x = encode_rows(dataset, others, model.backbone).matrix[:]
    return Asked(model.head, model.confidence, len(rows), others, x)


def promises(dataset: Dataset, made: Callable[[int], Asked], refits: int) -> None:
    certainty, found, strangers = dataset.task.certainty, list[tuple[float, ...]](), list[tuple[float]]()
    kept: dict[float, list[tuple[float, float] | None]] = {accuracy: [] for accuracy in ACCURACIES}
    for seed in range(refits):
        asked = made(seed)
        outputs, held = asked.head.logits(asked.x), asked.confidence.held
        digests, true = dataset.checked_digests[asked.rows], [dataset.targets[row] for row in asked.rows.tolist()]
        both = []
        for per_class in (False, True):
            rule = certainty.rule(asked.head, held, Wanted(None, COVERAGE, per_class))
            given = [sure.set for sure in rule.judge(outputs, digests)]
            hits = np.mean([label in each for label, each in zip(true, given, strict=True)])
            both += [float(hits), float(np.mean([len(each) for each in given]))]
        right = outputs.argmax(axis=1) == dataset.y[asked.rows]
        found.append((*both, float(right.mean()), len(held["right"])))
        scope = asked.confidence.scope
        if scope is not None:
            scores = asked.confidence.strangeness(asked.x, 1 - softmax(outputs).max(axis=1))
            strangers.append((float((scores > scope.threshold).mean()),))
        for accuracy, reached in kept.items():
            try:
                rule = certainty.rule(asked.head, held, Wanted(accuracy))
            except UserError:
                reached.append(None)
                continue
            answered = np.array([not sure.unsure for sure in rule.judge(outputs, digests)])
            reached.append((float(right[answered].mean()) if answered.any() else 1.0, float(answered.mean())))
    print(f"{dataset.name}, {asked.learned:,} examples to learn from, {refits} refits")
    names = ("of sets as given", "classes in a set", "by class", "classes in a set", "accuracy", "held out")
    listed(names, found)
    listed(("called strangers",), strangers)
    for accuracy, each in kept.items():
        there = [one for one in each if one is not None]
        met = np.mean([reached >= accuracy for reached, _ in there]) if there else np.nan
        shares = np.mean([share for _, share in there]) if there else np.nan
        said = f"  asked {accuracy:.2f}  promised in {len(there)} of {len(each)}, reached in {met:.0%} of these, "
        print(f"{said}answering {shares:.0%}", flush=True)


def of_strangers(data: str, folder: str, size: int | None, draws: int) -> None:
    """Photos of something else."""
    dataset = check(in_parts(data))
    features = encoded(dataset)
    files = sorted(str(file) for file in Path(folder).iterdir() if file.suffix.lower() in (".jpg", ".jpeg", ".png"))
    others = Dataset(dataset.task, dataset.modality, "strangers", files, [None] * len(files), files)
    strange = encoded(check(others, purpose="predict")).matrix[:]
    for seed in range(draws):
        rows, alike = parts(dataset, size, seed)
        told(dataset, features, rows, seed, features.matrix[:][alike], strange)


def of_classes(data: str, n: int, size: int | None, draws: int) -> None:
    """Classes that were left out."""
    whole = check(in_parts(data))
    known = encoded(whole)
    for seed in range(draws):
        unknown = np.random.default_rng(seed).permutation(len(whole.classes))[:n]
        mine, strange = (np.flatnonzero(np.isin(whole.y, unknown) == where) for where in (False, True))
        dataset = replace(whole.take(mine))  # which knows no other classes
        features = Features(known.matrix[:][mine], known.key, 0)
        rows, alike = parts(dataset, size, seed)
        told(dataset, features, rows, seed, features.matrix[:][alike], known.matrix[:][strange])


def told(
    dataset: Dataset, features: Features, rows: np.ndarray, seed: int, alike: np.ndarray, strange: np.ndarray
) -> None:
    adapted, confidence = fitted(dataset, features, rows, seed)
    found = [confidence.strangeness(x, 1 - softmax(adapted.head.logits(x)).max(axis=1)) for x in (alike, strange)]
    false, caught = (float((each > confidence.scope.threshold).mean()) for each in found)
    scope = confidence.summary["out_of_scope"]
    print(
        f"{dataset.name}, {len(rows):,} examples, draw {seed}: AUROC {auroc(*found):.4f} by {scope['method']}; ", end=""
    )
    print(f"called strangers: {caught:.0%} of them, {false:.0%} of the others; near classes {scope['near_auroc']}")


def options() -> argparse.ArgumentParser:
    parser = arguments(__doc__)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--size", type=int, help="examples a class")
    parser.add_argument("--resplits", type=int, default=100)
    parser.add_argument("--refits", type=int, default=100)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--strangers", help="folder of photos")
    parser.add_argument("--tuned", action="store_true", help="whole fits, tuned")
    parser.add_argument("--budget", default="70s", help="of each of these")
    parser.add_argument("--left-out", type=int, help="classes")
    return parser


def small(work: Path) -> Sequence[object]:
    return [
        photos(work / "photos", 24),
        "--resplits",
        2,
        "--refits",
        2,
        "--draws",
        1,
        "--strangers",
        work / "photos" / "global",
        "--tuned",
        "--budget",
        "10s",
    ]


def main() -> None:
    with asked(options(), small) as given:
        for data in given.data:
            if given.strangers:
                of_strangers(data, given.strangers, given.size, given.draws)
            if given.left_out:
                of_classes(data, given.left_out, given.size, given.draws)
            if given.tuned:
                dataset = check(in_parts(data))
                promises(dataset, partial(tuned, dataset, given.size, given.budget), given.refits)
            if not (given.strangers or given.left_out or given.tuned) or given.small:
                dataset = check(in_parts(data))
                features = encoded(dataset)
                halves(dataset, features, given.resplits)
                promises(dataset, partial(frozen, dataset, features, given.size), given.refits)


if __name__ == "__main__":
    main()
