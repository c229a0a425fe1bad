"""What turns the scores of spans into answers: when there is none, and how sure one is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from headstart.answering.decode import LONGEST, Span
from headstart.answering.metrics import Answers, best_threshold, exact_match, f1
from headstart.evaluate.calibration import answer_temperature
from headstart.evaluate.metrics import softmax


@dataclass(frozen=True)
class Settings:
    """What turns a reader's scores into answers; fitted on questions held out, or as a model came."""

    temperature: float = 1.0  # of the confidence
    threshold: float | None = 0.0  # log probability by which "no answer" has to lie ahead to be given; None: never is
    longest: int = LONGEST  # tokens of an answer


def settings_from(
    found: Mapping[int, Sequence[Span]], contexts: Sequence[str], answers: Sequence[Answers], settings: Settings
) -> Settings:
    """The threshold of no answer and the temperature of the confidence, from questions the model was not fitted on.

    The threshold is the one with the best F1; where every question has an answer, "no answer" is never given.

    Args:
        found: the spans of each row that were found, best first. contexts: what their `text` points at.
        answers: the true ones, row by row.
    """
    rows = [row for row in range(len(answers)) if found.get(row)]
    if not rows:
        return settings
    true = [[text for text, _ in answers[row]] for row in rows]
    best = [found[row][0] for row in rows]
    said = [contexts[span.text][span.start : span.stop] for span in best]
    lead = np.array([-span.score for span in best])
    overlap = np.array([f1(text, wanted) for text, wanted in zip(said, true, strict=True)])
    threshold = best_threshold(lead, overlap, np.array([f1("", wanted) for wanted in true]))
    settings = replace(settings, threshold=threshold, temperature=1.0)
    shares = [confidences(found[row], settings) for row in rows]
    scores = np.full((len(rows), max(map(len, shares))), -np.inf)
    right = np.zeros(len(rows), dtype=bool)
    for i, (share, text, wanted) in enumerate(zip(shares, said, true, strict=True)):
        with np.errstate(divide="ignore"):
            scores[i, : len(share)] = np.sort(np.log(share))[::-1]
        right[i] = exact_match("" if share[-1] >= share[0] else text, wanted) == 1
    return replace(settings, temperature=answer_temperature(scores, right))


def confidences(spans: Sequence[Span], settings: Settings) -> np.ndarray:
    """(k + 1,) how sure each span is, and no answer at the end; they sum to 1."""
    nothing = -np.inf if settings.threshold is None and spans else -(settings.threshold or 0.0)
    return softmax(np.array([[*(span.score for span in spans), nothing]]) / settings.temperature)[0]
