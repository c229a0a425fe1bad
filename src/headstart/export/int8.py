"""An export in int8: calibrated on examples that the model learned from, measured on others, refused where it loses.

Source: post-training quantisation of NNCF, https://github.com/openvinotoolkit/nncf.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from headstart.encode.int8 import quantised
from headstart.encode.kinds import BATCH, KINDS
from headstart.errors import DataError, OutputError
from headstart.export.deployable import Deployable
from headstart.export.format import Quantise
from headstart.export.proof import Answers
from headstart.export.samples import Labelled, spread
from headstart.task import Metric
from headstart.values import Dataset

MOST_LOST = 0.005  # of the metric, unless the user says otherwise
_FEWEST = 20  # examples, of either part
_CALIBRATED = 300  # examples, at most
_WORKERS = 2  # decoding threads
_LEAST = 1e-7  # a probability of float32 that is not told from 0


@dataclass(frozen=True)
class Cost:
    """What int8 costs on examples that the model did not learn from."""

    metric: str  # the key of the task's first one: "accuracy"
    before: float  # of the model in float32
    after: float  # of the export
    n: int  # examples

    def to_json(self) -> dict[str, Any]:
        """What `export --json` says of it beside the proof."""
        values = {"accuracy_before": self.before, "accuracy_after": self.after}
        return {**values, "metric": self.metric, "n_held_out": self.n}


def refuse_few(labelled: Labelled) -> None:
    """Raises DataError where there are too few examples to calibrate on, or to say what it costs."""
    calibrating, measuring = "that the model learned from", "that the model did not learn from"
    for n, done, which in (
        (len(labelled.learned), "calibrated", calibrating),
        (len(labelled.held_out), "measured", measuring),
    ):
        if n < _FEWEST:
            what = f"int8 is {done} on examples {which}, and there are {n}"
            raise DataError(what, where=labelled.learned.name, fix=f"--data with {_FEWEST} of them at least")


def quantiser(made: Deployable, learned: Dataset) -> Quantise:
    """What makes a format's graph int8, calibrated on examples that the model learned from."""
    batches = list(_batches(made, learned.take(spread(len(learned), _CALIBRATED))))

    def quantise(graph: Any) -> Any:
        return quantised(graph, batches, name=made.backbone.name, transformer=not made.takes_photos)

    return quantise


def _batches(made: Deployable, examples: Dataset) -> Iterator[dict[str, np.ndarray]]:
    """What the backbone takes of them, by the names of the graph's inputs; texts of pairs two by two."""
    inputs, digests = list(examples.inputs), examples.checked_digests
    if made.apart:
        inputs, digests = [text for pair in inputs for text in pair], np.repeat(digests, 2, axis=0)
    batching = KINDS[made.backbone.kind].batching(inputs, digests, made.backbone, BATCH, _WORKERS)
    for _, batch in batching(np.arange(len(inputs))):
        even = len(batch[0]) // 2 * 2
        if even:
            yield {name: part[:even] for name, part in zip(made.inputs, batch, strict=True)}


def cost_of(made: Deployable, held_out: Dataset, answers: Answers, reference: Any) -> Cost:
    """The task's first metric on held-out examples, of the model itself and of an export, by their answers."""
    before, after = (_measured(made, held_out, some, reference) for some in (answers.own, answers.exported))
    return Cost(_metric(made).key, before, after, len(held_out))


def _measured(made: Deployable, examples: Dataset, answers: np.ndarray, reference: Any) -> float:
    """The metric, of what was answered."""
    rows = np.arange(len(examples))
    scores = made.task.scorer.score(made.head, _outputs(made.link, answers), examples, rows, reference)
    return float(scores.values[_metric(made).key])


def _outputs(link: str, answers: np.ndarray) -> np.ndarray:
    """The outputs of a head whose answers these are."""
    if link == "identity":
        return answers
    likely = np.clip(answers, _LEAST, 1 - _LEAST)
    outputs: np.ndarray = np.log(likely) if link == "softmax" else np.log(likely / (1 - likely))
    return outputs.astype(np.float32)


def _metric(made: Deployable) -> Metric:
    return made.task.scorer.metrics[0]


def refuse_loss(made: Deployable, cost: Cost, most: float) -> None:
    """Raises OutputError where int8 loses more than that of the metric; of a number, in deviations of the targets."""
    metric = _metric(made)
    unit = made.head.deviation if metric.unit == "target" else 1.0
    lost = (cost.before - cost.after) / unit * (1 if metric.better == "higher" else -1)
    if not lost <= most:  # nor where it is no number
        what = (
            f"int8 changes {metric.in_words} from {cost.before:.4g} to {cost.after:.4g} on {cost.n:,} held-out examples"
        )
        fix = f"--most-lost {np.ceil(lost * 1000) / 1000:g} allows it; or leave --quantize out"
        raise OutputError(f"{what}, and {most:g} may be lost; nothing was written", fix=fix)
