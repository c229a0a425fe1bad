"""The long way of `fit`: fine-tuning that starts at the probe, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from headstart.adapt.adapted import Outcome, TrainingPart
from headstart.adapt.batches import Texts, tokenised
from headstart.adapt.checkpoint import Journal, key_of, open_journal
from headstart.adapt.classification import Classifying
from headstart.adapt.cross_validation import fit_probe, grouped_folds
from headstart.adapt.devices import channels_last
from headstart.adapt.fine_tune import Tuned
from headstart.adapt.flip_check import mirrors_keep_class
from headstart.adapt.linear_network import Classified
from headstart.adapt.lora import adapted
from headstart.adapt.probe import class_weights, refit
from headstart.adapt.search import Choices, label_smoothing, mixup, other_views
from headstart.adapt.sparse_embeddings import only_rows
from headstart.adapt.trainable_parts import Bodies, ImageBodies, TextBodies
from headstart.adapt.tuning import FORM, TUNED_AS, Terms, keep, rate, told, tuned_on
from headstart.adapt.validation import validation_folds
from headstart.adapt.word_uncertainty import doubt_by_words
from headstart.encode.engines import device
from headstart.evaluate.paired_test import FEWEST
from headstart.pretrained.training import open_for_training, word_embeddings
from headstart.progress import Progress
from headstart.storage.matrix import take
from headstart.values import Features, Head, TextPreparation, Trainable

Probe = Callable[[np.ndarray], Head]  # rows to learn from -> the head
_SHARES = (0.5, 1.0)  # half the way from the probe is the better end where examples are few (docs/accuracy.md)
_MANY = 2000  # examples from which the penalty is not searched for again
_SPICES = {"image": (other_views, mixup, label_smoothing), "text": (label_smoothing,)}


def tune(part: TrainingPart, terms: Terms) -> Outcome:
    """Fine-tune on the training part, if that is worth it.

    Args:
        terms: by "auto", tuning is taken where it is better than the probe; by "tune", "full" (every layer) and "lora"
            (adapters, merged into the weights at the end) in any case.
    """
    kind, how = part.dataset.kind, terms.how
    asked = [FORM, part.head.classes, part.features.key, how, terms.budget.seconds, part.seed]
    journal = open_journal(key_of(part.dataset.checked_digests, part.dataset.y, asked))
    probe, folds = _probe(part), _folds(part)
    part, folds = _apart(part, folds)
    terms.progress.tell("opening the model")
    preparation = part.backbone.preparation
    texts = tokenised(part.dataset.inputs, preparation) if isinstance(preparation, TextPreparation) else None
    trainable, merge = _opened(part, how, texts)
    bodies = (
        TextBodies(trainable, texts)
        if texts is not None
        else _image_bodies(part, trainable, probe, folds, journal, terms.progress)
    )
    task = Classifying(
        bodies,
        part.dataset.y,
        part.basis,
        probe,
        lambda head, rows: head.logits(take(part.features.matrix, rows)),
        class_weights=class_weights(part.head),
        guess=_guess(part, trainable, texts) if texts is not None and len(texts) > part.encoded else None,
    )
    tuned = tuned_on(
        task,
        terms,
        journal,
        Choices(
            _depths(how, bodies.depths, kind),
            rate(part.backbone, how=how),
            _SPICES[kind],
            _SHARES,
            many=bodies.depths if texts is not None else None,
        ),
        folds=folds,
        insist=how != "auto",
    )
    if isinstance(tuned, str):
        journal.remove()
        return Outcome(tuned, "probe")
    return _outcome(part, merge, tuned, how, journal, note=bodies.note(tuned.recipe.depth))


def _opened(part: TrainingPart, how: str, texts: Texts | None) -> tuple[Trainable, Callable[[], Any]]:
    """What is trained, and what gives the module with its own layers, once it is."""
    trainable = open_for_training(part.backbone)
    trainable.module.to(device())
    if how == "lora":
        return adapted(trainable, seed=part.seed)
    if texts is None:
        return trainable, lambda: trainable.module
    rows, put_back = only_rows(trainable, word_embeddings(trainable), texts.vocabulary)

    def whole() -> Any:
        put_back()
        return trainable.module

    return rows, whole


def _outcome(
    part: TrainingPart, merge: Callable[[], Any], tuned: Tuned, how: str, journal: Journal, *, note: str
) -> Outcome:
    v = tuned.verdict
    said = (
        f"on {v.n} held-out training examples accuracy {v.tuned_accuracy:.3f} against {v.untuned_accuracy:.3f} of the "
        f"probe, log loss {v.tuned_log_loss:.3f} against {v.untuned_log_loss:.3f}"
    )
    said += f"; {note}" if note else ""
    if not isinstance(tuned.network, Classified):
        not_proved = "too few were held out to prove more" if v.n < FEWEST else "tuning was not better beyond noise"
        why = f"the probe is kept: {not_proved} ({said})"
        return Outcome(why, "probe", None, None, told(tuned), journal)
    better = "better" if v.tuned_is_better else "asked for, though not better beyond noise"
    head = tuned.network.head(part.head, features_key="", temperature=tuned.temperature)
    backbone = keep(part.backbone, merge(), journal)
    beyond = len(part.dataset) > part.encoded
    return Outcome(f"tuned, {better}: {said}", TUNED_AS[how], backbone, head, told(tuned), journal, beyond)


def _probe(part: TrainingPart) -> Probe:
    """The probe as it is without some of the examples; each one is made once.

    Of many, a penalty found with the others is one number that learned next to nothing from them; and it favours what
    the tuned model is held against.
    """
    dataset, n = part.dataset, part.encoded
    known: dict[bytes, Head] = {np.arange(n).tobytes(): part.head}

    def fitted(rows: np.ndarray) -> Head:
        rows = rows[rows < n]
        key = rows.tobytes()
        if key in known:
            return known[key]
        features = Features(take(part.features.matrix, rows), part.features.key, 0)
        if len(rows) > _MANY:
            known[key] = refit(features, dataset.y[rows], basis=part.basis, like=part.head)
        else:
            known[key] = fit_probe(dataset, rows, features, basis=part.basis, seed=part.seed)
        return known[key]

    return fitted


def _folds(part: TrainingPart) -> np.ndarray:
    """Of the examples that were encoded: what is held out is held against the probe."""
    dataset, n = part.dataset, part.encoded

    def fold_of(k: int) -> np.ndarray:
        return grouped_folds(
            part.features,
            dataset.y[:n],
            basis=part.basis,
            kind=dataset.kind,
            groups=dataset.checked_groups[:n],
            digests=dataset.checked_digests[:n],
            k=k,
            seed=part.seed,
        )

    return validation_folds(fold_of, n)


def _apart(part: TrainingPart, folds: np.ndarray) -> tuple[TrainingPart, np.ndarray]:
    """With the folds of all examples: those that were not encoded are learned from, but for duplicates of what is held
    out."""
    dataset, n = part.dataset, part.encoded
    if n == len(dataset):
        return part, folds
    groups = dataset.checked_groups
    others = n + np.flatnonzero(~np.isin(groups[n:], groups[:n][folds == 0]))
    kept = dataset.take(np.concatenate([np.arange(n), others]))
    return replace(part, dataset=kept), np.concatenate([folds, np.ones(len(others), dtype=folds.dtype)])


def _guess(part: TrainingPart, trainable: Trainable, texts: Texts) -> Callable[[np.ndarray], np.ndarray | None]:
    """Doubt about any of the texts, encoded or not, by their words."""
    table: Any = word_embeddings(trainable)

    def guess(rows: np.ndarray) -> np.ndarray | None:
        if table is None:
            return None
        y, n_classes = part.dataset.y[rows], len(part.head.classes)
        return doubt_by_words(texts.take(rows), table.weight, y, n_classes=n_classes, seed=part.seed)

    return guess


def _image_bodies(
    part: TrainingPart, trainable: Any, probe: Probe, folds: np.ndarray, journal: Journal, progress: Progress
) -> Bodies:
    dataset, judge = part.dataset, np.flatnonzero(folds == 0)

    def mirror() -> bool:
        return mirrors_keep_class(
            [dataset.inputs[row] for row in judge.tolist()],
            dataset.checked_digests[judge],
            dataset.y[judge],
            features=take(part.features.matrix, judge),
            backbone=part.backbone,
            head=probe(np.flatnonzero(folds != 0)),
        )

    progress.tell("running the frozen layers once")
    allowed = partial(journal.once, "mirror", mirror)
    last = channels_last(device())
    return ImageBodies(
        trainable,
        part.backbone,
        dataset.inputs,
        dataset.checked_digests,
        mirror=allowed,
        journal=journal,
        channels_last=last,
    )


def _depths(how: str, groups: int, kind: str) -> list[int]:
    """Texts gain from all layers but the embeddings, or half of them; images from the last stage, or the upper half."""
    if how == "full":
        return [groups]
    deep = max(1, groups - (how != "lora") if kind == "text" else groups // 2)  # adapters have no embeddings
    shallow = max(1, deep // 2 if kind == "text" else 1)
    return list(dict.fromkeys([deep, shallow] if kind == "text" else [shallow, deep]))
