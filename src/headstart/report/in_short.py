"""A model in two lines: what it is, and how good."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from headstart.task import Scores

_WIDE = 100  # characters of a line


def in_short(
    kind: str,
    classes: Sequence[str],
    named: str,
    scores: Scores | None,
    folder: Path | None,
    *,
    too_high: bool = False,
) -> str:
    """The lines.

    Args:
        kind: its input, its task and the pre-trained model. named: what has the names that are its classes.
        scores: on the test part; None: nobody has adapted it. folder: where it was saved.
        too_high: whether its warnings say so of the scores.
    """
    names = f", {len(classes)} {named}: {', '.join(classes)}" if classes else ""
    what = f"{kind}{names}"
    return f"{what if len(what) <= _WIDE else what[: _WIDE - 3] + '...'}\n{_how_good(scores, folder, too_high)}"


def _how_good(scores: Scores | None, folder: Path | None, too_high: bool) -> str:
    if scores is None:
        return "as it came: nobody has adapted it"
    if not scores.n:
        return f"nothing was measured; {'saved in ' + str(folder) if folder else 'not saved: model.save(folder)'}"
    key, value = next(iter(scores.values.items()))
    ends = scores.intervals.get(key)
    interval = f" ({ends.low:.3f} to {ends.high:.3f})" if ends and ends.known else ""
    where = f"; saved in {folder}" if folder else "; not saved: model.save(folder)"
    doubt = ", too high: see its warnings" if too_high else ""
    return f"{key.replace('_', ' ')} {value:.3f}{interval} on {scores.n:,} test examples{doubt}{where}"
