"""`headstart compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headstart.commands import common


def compare(  # noqa: PLR0913 - one argument an option
    data: Annotated[str, typer.Argument(help="Data as for `fit`.")],
    task: Annotated[str, typer.Option(help=common.TASK)] = "auto",
    model: Annotated[str, typer.Option(help="auto (the starter), a catalog or hub name, or a folder.")] = "auto",
    budget: Annotated[str, typer.Option(help="Time for all of it, for example 2m, 10m, 1h.")] = "5m",
    seeds: Annotated[int, typer.Option(min=1, max=20, help="Orders of the labels, and starts of training.")] = 3,
    test: Annotated[str, typer.Option(help="Share kept for the test, or a path with test examples.")] = "0.2",
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another split.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder to write. Default: the data's name + .compare.")] = None,
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
    as_json: common.Json = False,
) -> None:
    """Show what the head start is worth: pre-trained against training from scratch, with more and more labels."""
    from headstart.api import compare as run
    from headstart.comparison.words import as_text

    columns = common.columns_of(
        text=text, text2=text2, image=image, label=label, labels=labels, separator=separator, encoding=encoding,
        delimiter=delimiter, image_root=image_root, class_folders=class_folders, group=group,
    )  # fmt: skip
    comparison = run(
        data,
        task=task,
        model=model,
        budget=budget,
        seeds=seeds,
        test=common.share_or_path(test),
        seed=seed,
        out=out,
        columns=columns,
        device=device,
        threads=threads,
        progress=common.bars(),
    )
    common.show(comparison.to_json(), as_json, as_text)
