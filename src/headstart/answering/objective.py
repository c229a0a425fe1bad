"""Finding answers as training sees it: where in a window the answer begins and ends, each by cross-entropy.

Each end is drawn among the tokens of the text and the first special one, which stands for "not in this window" (Devlin
et al. 2019, BERT, section 4.3). So what is trained is what answers are decoded from. Where several people answered a
question, all of their answers are wanted, each as much as it was given: where an answer ends is a matter of taste.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from headstart.adapt.batches import Texts
from headstart.adapt.loop import Loss, outputs_of
from headstart.adapt.trainable_parts import TrainablePart, TrainableParts
from headstart.answering.decode import LONGEST, MOST_SPANS, WindowSpans, window_spans
from headstart.evaluate.paired_test import HeldOut
from headstart.inputs.windows import LEFT_OUT, Slicer, Window

_LOSS, _RIGHT, _NOTHING, _SPANS_FROM = 0, 1, 2, 3  # columns of what is kept: and then first, last and score of spans


@dataclass(frozen=True)
class Reading:
    """Windows of questions and texts, with the tokens that the answer begins and ends with. There is nothing to start
    from but the weights themselves."""

    bodies: TrainableParts
    ends: np.ndarray  # (n, 2) int64 where a window's text begins in the input, and behind its last token
    targets: np.ndarray  # (n, k, 2) int64 first and last token of each answer in the input, as `data.windows.targets`
    new: bool  # the head has yet to be trained: as it comes, it knows nothing
    bf16: bool = False  # the processor has it
    device: str = "cpu"
    longest: int = LONGEST  # tokens of an answer

    def start(self, learn: np.ndarray) -> None:
        return None

    def doubt(self, start: None, rows: np.ndarray) -> None:
        return None

    def network(self, body: TrainablePart, start: None) -> tuple[nn.Module, list[nn.Parameter]]:
        return body.module, list(body.head)

    def loss(self, learn: np.ndarray, device: str) -> Loss:
        wanted, ends = torch.from_numpy(self.targets[learn]), torch.from_numpy(self.ends[learn])

        def loss(scores: torch.Tensor, rows: torch.Tensor, smoothing: float) -> torch.Tensor:
            """(n, t, 2) scores -> (n,) nats, of both ends together, the mean over the answers."""
            place, (first, stop) = torch.arange(scores.shape[1]), ends[rows].T[:, :, None]
            possible = (place == 0) | ((place >= first) & (place < stop))
            masked = scores.masked_fill(~possible[:, :, None].to(scores.device), -torch.inf)
            found, true = masked.log_softmax(dim=1), wanted[rows].to(scores.device)
            given = true != LEFT_OUT
            each = found.gather(1, true.clamp(min=0)).masked_fill(~given, 0.0)
            return -(each.sum(dim=1) / given.sum(dim=1)).sum(dim=1)

        return loss

    def kept(self, outputs: torch.Tensor, rows: np.ndarray) -> np.ndarray:
        """(n, 3 + 3 x 20): loss, whether the best span is the right one, log probability of nothing; and the best
        spans' first token, last token and log probability, for `spans_of`."""
        made = np.full((len(rows), _SPANS_FROM + 3 * MOST_SPANS), np.nan, dtype=np.float32)
        numbers = torch.arange(len(rows))
        made[:, _LOSS] = self.loss(rows, "cpu")(outputs, numbers, 0.0).numpy()
        for i, row in enumerate(rows.tolist()):
            lead, stop = self.ends[row].tolist()
            found = window_spans(outputs[i].numpy(), lead=lead, count=stop - lead, longest=self.longest)
            best = found.scores[0] > found.nothing
            said = (lead + found.first[0], lead + found.last[0]) if best else (0, 0)
            right = (self.targets[row] == said).all(axis=1).any()
            made[i, _RIGHT], made[i, _NOTHING] = right, found.nothing
            columns = np.stack([found.first, found.last, found.scores], axis=1)
            made[i, _SPANS_FROM : _SPANS_FROM + columns.size] = columns.ravel()
        return made

    def judged(self, kept: np.ndarray, rows: np.ndarray) -> HeldOut:
        """Window by window; right is the span with the very same tokens as an answer."""
        return HeldOut(kept[:, _LOSS].astype(np.float64), kept[:, _RIGHT] > 0, temperature=1.0)

    def untuned(self, start: None, rows: np.ndarray) -> np.ndarray:
        """As the weights came; a new head finds all tokens alike."""
        if self.new:
            tokens = 1 + np.diff(self.ends[rows], axis=1)[:, 0]
            return np.stack([2 * np.log(tokens), np.zeros(len(rows))], axis=1).astype(np.float32)
        body = self.bodies.at(1)
        return outputs_of(
            body.module.to(self.device),
            body.plain.take(rows),
            keep=lambda out, some: self.kept(out, rows[some]),
            bf16=self.bf16,
            device=self.device,
        )


def spans_of(kept: np.ndarray) -> list[WindowSpans]:
    """What was found in each window, from what `Reading.kept` made of it."""
    found = []
    for row in kept:
        columns = row[_SPANS_FROM:].reshape(-1, 3)
        first, last, scores = columns[~np.isnan(columns[:, 0])].astype(np.float64).T
        found.append(WindowSpans(first.astype(np.int64), last.astype(np.int64), scores, float(row[_NOTHING])))
    return found


def as_texts(windows: Sequence[Window], slicer: Slicer) -> Texts:
    """Windows as a feed; five bytes a token are kept."""
    lengths = np.array([slicer.length(window) for window in windows], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    columns = {"input_ids": np.int32, "token_type_ids": np.int8}
    made = {k: np.empty(starts[-1], kind) for k, kind in columns.items() if k in slicer.preparation.inputs}
    for window, at, stop in zip(windows, starts, starts[1:], strict=False):
        batch = dict(zip(slicer.preparation.inputs, slicer.batch([window]), strict=True))
        for name, column in made.items():
            column[at:stop] = batch[name][0]
    return Texts(made["input_ids"], starts, slicer.preparation.pad_id, made.get("token_type_ids"))
