"""A reading model over windows: what it finds for each question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from headstart.answering.decode import LONGEST, Best, Span, window_spans
from headstart.backbone import Backbone
from headstart.encode.engines import Engine
from headstart.encode.precision import choose_precision, known_precision
from headstart.errors import ModelError
from headstart.inputs.windows import Batch, Slicer, Window, batches

_SAMPLE = 32  # windows that precision is measured on
_CLOSE_CALL = 0.1  # nats between two answers; bfloat16 moves that by 0.03 (standard deviation, MiniLM on SQuAD)
_AS_PROBABLE = 0.95  # what lower precision answers must be this probable, next to float32's own answer


def reading_precision(backbone: Backbone, slicer: Slicer, windows: Sequence[Window]) -> str:
    """ "bf16" where that answers as float32 does, measured once on `windows`; "f32" where these are too few to tell."""
    known = known_precision(backbone)
    if known is not None:
        return known
    return "f32" if len(windows) < _SAMPLE else _measured(backbone, slicer, windows)


def find_spans(
    windows: Iterable[Window],
    texts: Sequence[str],
    slicer: Slicer,
    engine: Engine,
    *,
    exact: Callable[[], Engine] | None = None,
    longest: int = LONGEST,
    advance: Callable[[int], None] = lambda _: None,
) -> dict[int, tuple[Span, ...]]:
    """The best spans for each question, by the row that its windows name. Memory grows with questions, not with texts.

    Args:
        windows: from `data.windows.cut`. texts: what the windows' `text` points at.
        engine: what reads the windows.
        exact: opens a more exact engine; it reads those windows again whose answers are too close to call.
        longest: tokens of an answer, at most. advance: told how many more windows are done.
    """
    margin = None if exact is None else _CLOSE_CALL
    best: dict[int, Best] = defaultdict(lambda: Best(longest=longest, margin=margin))
    for window, scores in _read(windows, slicer, engine):
        best[window.row].add(window, scores, texts[window.text])
        advance(1)
    if exact is not None:
        again = [window for gathered in best.values() for window in gathered.doubtful()]
        for window, scores in _read(again, slicer, exact()) if again else ():
            best[window.row].add(window, scores, texts[window.text])
    return {row: gathered.spans() for row, gathered in best.items()}


def _read(windows: Iterable[Window], slicer: Slicer, engine: Engine) -> Iterator[tuple[Window, np.ndarray]]:
    """Each window with its (t, 2) scores, in the order of the batches.

    Raises:
        ModelError: a score is not a number.
    """
    under_way: dict[int, Window] = {}

    def numbered() -> Iterator[tuple[np.ndarray, Batch]]:
        number = 0
        for some, batch in batches(windows, slicer):
            which = np.arange(number, number + len(some))
            under_way.update(zip(which.tolist(), some, strict=True))
            number += len(some)
            yield which, batch

    for which, logits in engine(numbered()):
        for number, scores in zip(which.tolist(), logits, strict=True):
            window = under_way.pop(number)
            if not np.isfinite(scores[: slicer.length(window)]).all():
                raise ModelError(
                    "it gave a score that is not a number",
                    where="the model",
                    fix="its weights may be damaged: fetch or save them again",
                )
            yield window, scores


def _measured(backbone: Backbone, slicer: Slicer, windows: Sequence[Window]) -> str:
    spread = np.unique(np.linspace(0, len(windows) - 1, _SAMPLE).astype(np.int64))
    sample = list(batches([windows[i] for i in spread.tolist()], slicer))

    def alike(reference: list[np.ndarray], low: list[np.ndarray]) -> float:
        """How probable float32 finds the answers of lower precision, next to its own; of the worst window."""
        ratios = []
        for (some, _), exact, rough in zip(sample, reference, low, strict=True):
            for window, one, other in zip(some, exact, rough, strict=True):
                where = {"lead": window.lead, "count": window.stop - window.first}
                right, taken = window_spans(one, **where), window_spans(other, **where)
                at = np.flatnonzero((right.first == taken.first[0]) & (right.last == taken.last[0]))
                ratios.append(float(np.exp(right.scores[at[0]] - right.scores[0])) if len(at) else 0.0)
        return min(ratios)

    numbered = [(np.arange(len(some)), batch) for some, batch in sample]
    return choose_precision(backbone, numbered, alike=alike, least=_AS_PROBABLE)
