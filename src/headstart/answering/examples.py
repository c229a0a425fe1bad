"""Which windows of which questions are learned from, and which are read to fit what turns scores into answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import groupby

import numpy as np

from headstart.answering.decode import LONGEST
from headstart.inputs.windows import Slicer, Window, cut, targets
from headstart.values import Dataset

_WITHOUT = 4  # windows without the answer that a question is learned from, at most: a book has hundreds of them
_DRAWN = 50  # questions that are drawn at a time; so many are taken, if only in part, where texts are long


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
    dataset: Dataset,
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
    passages = dataset.passages
    rng, made, room = np.random.default_rng(seed), list[Window](), most
    order = rng.permutation(rows)
    for at in range(0, len(order), _DRAWN):
        some = order[at : at + _DRAWN]
        of: dict[int, list[Window]] = defaultdict(list)
        for window in cut(passages.questions, passages.contexts, passages.pairs[some], slicer):
            of[window.row].append(window)
        new = {row: [i for i, w in enumerate(of[row]) if (row, w.first) not in known] for row in some.tolist()}
        if at == 0 and sum(map(len, new.values())) > room:
            share = max(1, room // len(some))
            return [w for row in some.tolist() for w in _part(of[row], new[row], dataset.targets, share, rng)]
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
