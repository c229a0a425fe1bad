"""The long way of `fit`: fine-tuning that starts at the probe, and what comes of it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from headstart import __version__
from headstart.adapt import fit_head
from headstart.adapt.bodies import Bodies, ImageBodies, TextBodies
from headstart.adapt.feeds import tokenised
from headstart.adapt.finetune import Probes, Tuned, finetune, validation_folds
from headstart.adapt.head import grouped_folds
from headstart.adapt.lora import adapted
from headstart.adapt.mirrors import mirrors_keep_class
from headstart.adapt.outcome import Outcome, TrainingPart
from headstart.adapt.resume import Journal, open_journal
from headstart.adapt.run import Runs, Watch, until_interrupted
from headstart.choose import Budget
from headstart.encode.engines import cpu_has_bf16, device
from headstart.live import Live
from headstart.matrix import take
from headstart.places import cache_folder, temporary_beside
from headstart.pretrained.training import keep_tuned, open_for_training, with_weights
from headstart.progress import Progress
from headstart.track import Record
from headstart.values import Backbone, Dataset, Features, Head, TextPreparation, Trainable, Way

_TEXT_RATE, _TEXT_WIDTH = 2e-4, 384  # MiniLM's
_IMAGE_RATE = 1e-4
_LORA = 10.0  # times the rate of the weights themselves: Schulman et al., LoRA Without Regret, 2025; docs/lora.md
_WAYS: dict[str, Way] = {"auto": "tune", "tune": "tune", "full": "full", "lora": "lora"}
_FORM = 1  # of journals: raise when what is written down changes
_STARTING = 6.0  # seconds kept for evaluating and saving: converting the tuned model takes most of it


def tune(
    part: TrainingPart, *, how: str, budget: Budget, reserve: float, progress: Progress, record: Record
) -> Outcome:
    """Fine-tune on the training part, if that is worth it.

    Args:
        how: "auto": where it is better than the probe; "tune", "full" (every layer) and "lora" (adapters, merged into
            the weights at the end): in any case.
        budget: of the whole fit.
        reserve: seconds that are needed for encoding the test part.
        record: gets the curves.
    """
    insist = how != "auto"
    journal = open_journal(_key(part, how, budget))
    live = Live(progress, record, lambda: budget.left)
    watch = Watch(left=lambda: budget.left - reserve - _STARTING, listen=live.step, judged=live.judged)
    probes, folds = _probes(part), _folds(part)
    progress.tell("opening the model")
    trainable, merge = _opened(part, how)
    bodies = _bodies(part, trainable, probes, folds, journal, progress)
    runs = Runs(
        bodies,
        part.dataset.y,
        part.basis,
        journal,
        watch,
        class_weights=_class_weights(part.head),
        seed=part.seed,
        may_bf16=device() == "cuda" or cpu_has_bf16(),
        device=device(),
    )
    with until_interrupted(watch):
        tuned = finetune(
            runs,
            probes,
            folds=folds,
            depths=_depths(how, bodies.depths, part.dataset.kind),
            rate=_rate(part.backbone) * (_LORA if how == "lora" else 1),
            images=part.dataset.kind == "image",
            insist=insist,
        )
    if tuned is None:
        journal.remove()
        return Outcome(f"no time to tune within {budget.seconds:.0f} s: give it more with --budget", "probe")
    return _outcome(part, merge, tuned, how, journal)


def _opened(part: TrainingPart, how: str) -> tuple[Trainable, Callable[[], Any]]:
    """What is trained, and what gives the module with its own layers, once it is."""
    trainable = open_for_training(part.backbone)
    if how == "lora":
        return adapted(trainable, seed=part.seed)
    return trainable, lambda: trainable.module


def _outcome(part: TrainingPart, merge: Callable[[], Any], tuned: Tuned, how: str, journal: Journal) -> Outcome:
    v = tuned.verdict
    told = {"verdict": asdict(v), "trials": [t.row() for t in tuned.trials], "recipe": asdict(tuned.recipe)}
    said = (
        f"on {v.n} held-out training examples accuracy {v.tuned_accuracy:.3f} against {v.probe_accuracy:.3f} of the "
        f"probe, log loss {v.tuned_log_loss:.3f} against {v.probe_log_loss:.3f}"
    )
    if tuned.network is None:
        return Outcome(
            f"the probe is kept: tuning was not better beyond noise ({said})", "probe", None, None, told, journal
        )
    better = "better" if v.tuned_is_better else "asked for, though not better beyond noise"
    head = tuned.network.head(part.head, features_key="", temperature=tuned.temperature)
    backbone = _keep(part.backbone, merge())
    return Outcome(f"tuned, {better}: {said}", _WAYS[how], backbone, head, told, journal)


def _keep(backbone: Backbone, module: Any) -> Backbone:
    """Write the tuned weights into the cache, whole or not at all."""
    home = cache_folder() / "tuned"
    temporary = temporary_beside(home / "new")
    temporary.mkdir(parents=True)
    try:
        made = keep_tuned(backbone, module, temporary)
        final = home / made.weights_hash[:24]
        if final.exists():
            shutil.rmtree(final)
        temporary.rename(final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return moved(made, final)


def moved(backbone: Backbone, folder: Path) -> Backbone:
    """The same backbone, its weights in another folder."""
    return with_weights(backbone, folder / backbone.weights.name, backbone.weights_hash)


def settle(backbone: Backbone, folder: Path) -> Backbone:
    """The tuned backbone in the folder that it was saved to; the copy in the cache is removed."""
    shutil.rmtree(backbone.weights.parent, ignore_errors=True)
    return moved(backbone, folder)


def _probes(part: TrainingPart) -> Probes:
    dataset = part.dataset
    known: dict[bytes, Head] = {}

    def without(rows: np.ndarray) -> Head:
        key = rows.tobytes()
        if key not in known:
            known[key] = fit_head(
                Features(take(part.features.matrix, rows), part.features.key, 0),
                dataset.y[rows],
                basis=part.basis,
                classes=part.head.classes,
                kind=dataset.kind,
                groups=_groups(dataset)[rows],
                digests=_digests(dataset)[rows],
                seed=part.seed,
            )
        return known[key]

    return Probes(without, lambda head, rows: head.logits(take(part.features.matrix, rows)), part.head)


def _folds(part: TrainingPart) -> np.ndarray:
    dataset = part.dataset

    def fold_of(k: int) -> np.ndarray:
        return grouped_folds(
            part.features,
            dataset.y,
            basis=part.basis,
            kind=dataset.kind,
            groups=_groups(dataset),
            digests=_digests(dataset),
            k=k,
            seed=part.seed,
        )

    return validation_folds(fold_of, len(dataset))


def _bodies(
    part: TrainingPart, trainable: Any, probes: Probes, folds: np.ndarray, journal: Journal, progress: Progress
) -> Bodies:
    dataset, preparation = part.dataset, part.backbone.preparation
    if isinstance(preparation, TextPreparation):
        return TextBodies(trainable, tokenised(dataset.inputs, preparation))
    judge = np.flatnonzero(folds == 0)

    def mirror() -> bool:
        return mirrors_keep_class(
            [dataset.inputs[row] for row in judge.tolist()],
            _digests(dataset)[judge],
            dataset.y[judge],
            features=take(part.features.matrix, judge),
            backbone=part.backbone,
            head=probes.without(np.flatnonzero(folds != 0)),
        )

    progress.tell("running the frozen layers once")
    allowed = partial(journal.once, "mirror", mirror)
    return ImageBodies(trainable, part.backbone, dataset.inputs, _digests(dataset), mirror=allowed)


def _depths(how: str, groups: int, kind: str) -> list[int]:
    """Texts gain from all layers but the embeddings, or half of them; images from the last stage, or the upper half."""
    if how == "full":
        return [groups]
    deep = max(1, groups - (how != "lora") if kind == "text" else groups // 2)  # adapters have no embeddings
    shallow = max(1, deep // 2 if kind == "text" else 1)
    return list(dict.fromkeys([deep, shallow] if kind == "text" else [shallow, deep]))


def _rate(backbone: Backbone) -> float:
    """Where the search for the learning rate begins: wider models want smaller steps (docs/tuning.md)."""
    if backbone.kind == "image":
        return _IMAGE_RATE
    hidden = backbone.width / len(backbone.config.get("layers") or [0])
    return float(_TEXT_RATE * (_TEXT_WIDTH / hidden) ** 1.5)


def _class_weights(head: Head) -> np.ndarray | None:
    if head.class_weights is None:
        return None
    return np.array([head.class_weights[name] for name in head.classes], dtype=np.float32)


def _key(part: TrainingPart, how: str, budget: Budget) -> str:
    """Names the run: the same command on the same data finds what it had done before it was killed."""
    seen = hashlib.sha256(_digests(part.dataset).tobytes() + part.dataset.y.tobytes())
    told = [_FORM, part.head.classes, part.features.key, how, budget.seconds, part.seed, __version__, version("torch")]
    seen.update(repr(told).encode())
    return seen.hexdigest()[:24]


def _groups(dataset: Dataset) -> np.ndarray:
    return np.arange(len(dataset)) if dataset.groups is None else dataset.groups


def _digests(dataset: Dataset) -> np.ndarray:
    if dataset.digests is None:
        raise ValueError("tuning needs a checked dataset")
    return dataset.digests
