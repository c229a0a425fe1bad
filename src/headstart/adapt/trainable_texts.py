"""Texts for fine-tuning: all layers but the word embeddings, or the upper half of them; embeddings row by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.adapt.basis import Basis, fit_basis
from headstart.adapt.batches import Texts, tokenised
from headstart.adapt.checkpoint import Checkpoint
from headstart.adapt.cross_validation import Probe, all_alike, fit_probe, probes
from headstart.adapt.linear_training import Opened
from headstart.adapt.lora import adapted
from headstart.adapt.search import label_smoothing
from headstart.adapt.sparse_embeddings import only_rows
from headstart.adapt.trainable_parts import TextParts
from headstart.backbone import Backbone
from headstart.encode.encode import encode_rows, of_rows
from headstart.encode.engines import device
from headstart.encode.long_texts import cut_off
from headstart.pretrained.opened import Trainable
from headstart.pretrained.training import open_for_training, word_embeddings

if TYPE_CHECKING:
    from headstart.adapt.linear_lesson import LinearLesson


def trainable_texts(lesson: LinearLesson, probe: Probe, folds: np.ndarray, checkpoint: Checkpoint) -> Opened:
    """The backbone of a lesson over its texts.

    It is trained on the beginning of each. Where the lesson's probe has read whole texts, in windows, it is what the
    tuned model has to beat, and training starts from a probe on what is trained on.
    """
    backbone = cut_off(lesson.plan.backbone)
    start = None if backbone == lesson.plan.backbone else probe_of(lesson, backbone, folds)
    return open_texts(lesson, backbone, start)


def probe_of(lesson: LinearLesson, backbone: Backbone, folds: np.ndarray) -> tuple[Basis, Probe]:
    """The probe on what another backbone makes of a lesson's inputs. The penalty of that is searched for without the
    validation part."""
    dataset, n = lesson.dataset, lesson.encoded
    features = encode_rows(dataset, np.arange(n), backbone)
    basis = fit_basis(features.matrix, dataset.weights_of(np.arange(n)))
    learn = np.flatnonzero(folds[:n] != 0)
    head = fit_probe(dataset, learn, of_rows(features, learn), basis=basis, seed=lesson.seed).head
    probe = probes(dataset, features, basis=basis, rows=learn, head=head, seed=lesson.seed)
    return basis, all_alike(dataset, features, basis=basis, probe=probe)


def open_texts(lesson: LinearLesson, backbone: Backbone, start: tuple[Basis, Probe] | None) -> Opened:
    """A backbone over the texts of a lesson, or over pairs of texts as one sequence each.

    Args:
        start: what training starts from, where it is not the lesson's probe.
    """
    method = lesson.plan.method
    texts = tokenised(lesson.dataset.inputs, backbone.texts)
    trainable = open_for_training(backbone)
    trainable.module.to(device())
    if method == "lora":
        trainable, whole = adapted(trainable, seed=lesson.seed)
    else:
        trainable, whole = with_rows(trainable, texts)
    parts = TextParts(trainable, texts)
    return Opened(
        parts,
        _depths(method, parts.depths),
        whole,
        (label_smoothing,),
        parts.depths,
        lambda rows: _uncertainty(lesson, trainable, texts, rows),
        backbone,
        start,
    )


def with_rows(trainable: Trainable, texts: Texts) -> tuple[Trainable, Callable[[], Any]]:
    """The module with the word embeddings of these texts in place of all, and what gives it its own layers again."""
    rows, put_back = only_rows(trainable, word_embeddings(trainable.module), texts.vocabulary)

    def whole() -> Any:
        put_back()
        return rows.module

    return rows, whole


def _depths(method: str, groups: int) -> tuple[int, ...]:
    if method == "full":
        return (groups,)
    deep = max(1, groups - (method != "lora"))  # adapters have no embeddings
    return tuple(dict.fromkeys([deep, max(1, deep // 2)]))


def _uncertainty(lesson: LinearLesson, trainable: Trainable, texts: Texts, rows: np.ndarray) -> np.ndarray | None:
    """How hard any of the texts are, encoded or not, by their words alone."""
    table, by_words = word_embeddings(trainable.module), lesson.dataset.task.learner.family.by_words
    if table is None or by_words is None:
        return None
    n_classes = len(lesson.head.classes)
    return by_words(texts.take(rows), table.weight, lesson.dataset.y[rows], n_classes=n_classes, seed=lesson.seed)
