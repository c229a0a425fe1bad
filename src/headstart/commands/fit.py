"""`headstart fit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headstart.commands import common, streams
from headstart.progress import note

if TYPE_CHECKING:
    from headstart.model import Model


def fit(  # noqa: PLR0913 - one argument an option
    data: Annotated[str, typer.Argument(help="Folder of class folders; table; or questions (a table, SQuAD's JSON).")],
    task: Annotated[str, typer.Option(help=common.TASK)] = "auto",
    model: Annotated[str, typer.Option(help="auto, a catalog or hub name, or a folder.")] = "auto",
    licence: common.Licence = "free",
    precision: common.Precision = "auto",
    how: Annotated[str, typer.Option(help="auto, probe, tune, lora or full.")] = "auto",
    metric: common.ChosenBy = "auto",
    threshold: common.Threshold = None,
    recall: common.Recall = None,
    positive: common.Positive = None,
    budget: Annotated[str, typer.Option(help="Time from reading to saving, for example 90s, 2m, 1h.")] = "2m",
    test: Annotated[str, typer.Option(help="Share kept for the test, or a path with test examples.")] = "0.2",
    out: Annotated[Path | None, typer.Option(help="Folder to save to. Default: the data's name + .headstart.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another split.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace a saved folder.")] = False,
    allow_rejected: common.AllowRejected = False,
    final: common.Final = False,
    max_length: common.MaxLength = None,
    names: common.Names = None,
    unlabelled: common.Unlabelled = None,
    feedback: common.Feedback = None,
    classes: common.Classes = None,
    text: common.Text = None,
    text2: common.Text2 = None,
    image: common.Image = None,
    label: common.Label = None,
    labels: common.Labels = None,
    separator: common.Separator = None,
    encoding: common.Encoding = None,
    delimiter: common.Delimiter = None,
    image_root: common.ImageRoot = None,
    class_folders: common.ClassFolders = None,
    group: common.Group = None,
    device: common.Device = None,
    threads: common.Threads = None,
    track: common.Track = None,
    store: common.Store = None,
    on: Annotated[str | None, typer.Option(help="ray: a cluster encodes and trains (needs headstart[ray]).")] = None,
    as_json: common.Json = False,
) -> None:
    """Adapt a pre-trained model to labelled data and save it with its score."""
    streams.outlive_terminal()
    from headstart.api import fit as run

    columns = common.columns_of(
        text=text, text2=text2, image=image, label=label, labels=labels, separator=separator, encoding=encoding,
        delimiter=delimiter, image_root=image_root, class_folders=class_folders, group=group,
    )  # fmt: skip
    fitted = run(
        data, task=task, model=model, how=how, metric=metric, threshold=threshold, recall=recall, positive=positive,
        budget=budget, test=common.share_or_path(test), seed=seed, out=out, force=force, allow_rejected=allow_rejected,
        final=final, max_length=max_length, names=names, unlabelled=unlabelled, feedback=feedback, classes=classes,
        columns=columns, device=device, threads=threads, track=track, licence=licence, precision=precision,
        store=store, on=on, progress=common.bars(),
    )  # fmt: skip
    _tell(fitted, as_json)


def _tell(fitted: Model, as_json: bool) -> None:
    words, metrics = fitted.task.words, fitted.task.scorer.metrics
    try:
        common.show(fitted.summary, as_json, lambda summary: words.fitted(summary, metrics))
    except streams.LostOutputError as lost:  # its folder says all of it again, so losing it is no failure
        note(f"{lost}; the model is saved")
