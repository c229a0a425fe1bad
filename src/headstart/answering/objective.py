"""Finding answers as training sees it: where in a window the answer begins and ends, each by cross-entropy.

Each end is drawn among the tokens of the text and the first special one, which stands for "not in this window" (Devlin
et al. 2019, BERT, section 4.3). So what is trained is what answers are decoded from. Where several people answered a
question, all of their answers are wanted, each as much as it was given: where an answer ends is a matter of taste.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from torch import nn

from headstart.adapt.batches import Texts
from headstart.adapt.loop import Loss, outputs_of
from headstart.adapt.trainable_parts import Bodies, Body
from headstart.answering.decode import LONGEST, MOST_SPANS, WindowSpans, window_spans
from headstart.evaluate.paired_test import Judged
from headstart.inputs.windows import LEFT_OUT, Slicer, Window, cut, targets
from headstart.values import Questions

_WITHOUT = 4  # windows without the answer that a question is learned from, at most: a book has hundreds of them
_DRAWN = 50  # questions that are drawn at a time; so many are taken, if only in part, where texts are long
_LOSS, _RIGHT, _NOTHING, _SPANS_FROM = 0, 1, 2, 3  # columns of what is kept: and then first, last and score of spans


@dataclass(frozen=True)
class Reading:
    """Windows of questions and texts, with the tokens that the answer begins and ends with. There is nothing to start
    from but the weights themselves."""

    bodies: Bodies
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

    def network(self, body: Body, start: None) -> tuple[nn.Module, list[nn.Parameter]]:
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

    def judged(self, kept: np.ndarray, rows: np.ndarray) -> Judged:
        """Window by window; right is the span with the very same tokens as an answer."""
        return Judged(kept[:, _LOSS].astype(np.float64), kept[:, _RIGHT] > 0, temperature=1.0)

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


def text_ends(windows: Sequence[Window]) -> np.ndarray:
    """(n, 2) int64, for `Reading.ends`."""
    ends = [(window.lead, window.lead + window.stop - window.first) for window in windows]
    return np.array(ends, dtype=np.int64).reshape(-1, 2)


def examples(
    windows: Iterable[Window], answers: Sequence[tuple[tuple[str, int], ...]], *, seed: int
) -> tuple[list[Window], np.ndarray]:
    """The windows that are learned from and (n, k, 2) their targets.

    All that hold an answer, and of each question some that do not. A question none of whose answers lies whole in a
    window, or is covered by tokens, has none: its windows would teach that there is no answer.

    Args:
        windows: question by question.
        answers: of every question, by the row that its windows name.
    """
    made: list[Window] = []
    for _, group in groupby(windows, key=lambda window: (window.row, window.text)):
        some = list(group)
        first = targets(some, answers)[:, 0, 0]
        if answers[some[0].row] and not (first > 0).any():
            continue
        without = np.flatnonzero(first == 0)
        rng = np.random.default_rng([seed, some[0].row])
        few = without if len(without) <= _WITHOUT else rng.choice(without, _WITHOUT, replace=False)
        kept = np.sort(np.concatenate([np.flatnonzero(first > 0), few]))
        made += [some[i] for i in kept.tolist()]
    return made, targets(made, answers)


def longest_answer(wanted: np.ndarray) -> int:
    """Tokens that all but a hundredth of the answers have at most, or what is usual where they are short.

    Args:
        wanted: (n, k, 2) targets of windows.
    """
    given = wanted[wanted[..., 0] > 0]
    if not len(given):
        return LONGEST
    return max(LONGEST, int(np.percentile(1 + given[:, 1] - given[:, 0], 99, method="higher")))


def as_asked(
    questions: Questions,
    rows: np.ndarray,
    slicer: Slicer,
    *,
    most: int,
    seed: int,
    known: Collection[tuple[int, int]] = (),
) -> list[Window]:
    """Windows as answering meets them: every one of a question's text, of questions drawn among `rows`.

    As many questions as fit. Where not even the first 50 do, of their texts what holds the answers and a part of the
    rest, drawn: without the answer a text is still harder the more of it is read.

    Args:
        most: windows, at most, besides those known.
        known: (row, first token) of windows that have been read already.
    """
    rng, made, room = np.random.default_rng(seed), list[Window](), most
    order = rng.permutation(rows)
    for at in range(0, len(order), _DRAWN):
        some = order[at : at + _DRAWN]
        of: dict[int, list[Window]] = defaultdict(list)
        for window in cut(questions.questions, questions.contexts, questions.pairs[some], slicer):
            of[window.row].append(window)
        new = {row: [i for i, w in enumerate(of[row]) if (row, w.first) not in known] for row in some.tolist()}
        if at == 0 and sum(map(len, new.values())) > room:
            share = max(1, room // len(some))
            return [w for row in some.tolist() for w in _part(of[row], new[row], questions.answers, share, rng)]
        for row, unread in new.items():
            room -= len(unread)
            if room < 0:
                return made
            made += of[row]
    return made


def _part(
    windows: list[Window],
    new: list[int],
    answers: Sequence[tuple[tuple[str, int], ...]],
    share: int,
    rng: np.random.Generator,
) -> list[Window]:
    """Of one question's windows the known ones, those with an answer, and of the other new ones a share."""
    holds = targets(windows, answers)[:, 0, 0] > 0 if windows else np.zeros(0, dtype=bool)
    others = [i for i in new if not holds[i]]
    left_out = set(others) - set(rng.permutation(others)[: max(0, share - (len(new) - len(others)))].tolist())
    return [window for i, window in enumerate(windows) if i not in left_out]


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
