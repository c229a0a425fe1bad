"""`rank`: which of several pre-trained models suits the user's data. The first steps of `fit`, then a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from headstart.choose.candidates import at_hand, named
from headstart.choose.rank import rank_models
from headstart.clock import Budget, seconds_of
from headstart.data.check import check
from headstart.data.columns import Columns
from headstart.data.known import known_images
from headstart.data.read import read
from headstart.data.split import sample, split
from headstart.encode.store import image_hashes
from headstart.errors import ModelError
from headstart.pretrained.load import load
from headstart.progress import Progress, Silent
from headstart.values import Kind, Ranking


def rank(
    data: Any,
    labels: Any = None,
    *,
    models: Sequence[str] | None = None,
    kind: Kind | None = None,
    budget: float | str | None = None,
    seed: int = 0,
    columns: Columns | None = None,
    progress: Progress | None = None,
) -> Ranking:
    """Score pre-trained models on a sample of the examples that `fit` with the same seed would learn from.

    What is encoded is kept, so a `fit` afterwards has it.

    Args:
        data: as for `fit`, with `labels` where they are inputs.
        models: catalog names, hub names or folders; None: those of the catalog that are at hand.
        kind: "image" or "text", where it cannot be seen.
        budget: wall time for the models, "90s", "2m", "1h" or seconds; None: two minutes. The first is tried
            in any case.
        seed: of the split; the test part is not looked at.
        columns: which columns of a table hold what.
        progress: told what goes on.

    Raises:
        UserError: the data or a model cannot be used, or the budget is not a time.
    """
    open_, progress, seconds = partial(load, progress=progress), progress or Silent(), seconds_of(budget)
    with progress.step("read"):
        dataset = read(data, labels=labels, kind=kind, columns=columns)
    with progress.step("check", len(dataset)) as advance:
        dataset = check(dataset, known=known_images(image_hashes(dataset.kind)), advance=advance)
    some = sample(dataset, split(dataset, seed=seed).train)
    if models is None:
        candidates = at_hand(dataset.kind, partial(load, kind=dataset.kind))
    else:
        candidates = named(models, partial(open_, kind=dataset.kind))
    if not candidates:
        raise ModelError(f"no model for {dataset.kind}s to rank", where="--models", fix="headstart models lists them")
    with progress.step("rank", len(candidates) * len(some)) as advance:
        return rank_models(some, candidates, budget=Budget(seconds), advance=advance)
