"""`headstart rank`."""

from __future__ import annotations

from typing import Annotated

import typer

from headstart.commands import common
from headstart.report import terminal


def rank(  # noqa: PLR0913 - one argument an option
    data: Annotated[str, typer.Argument(help="Folder of class folders, or a table (csv, tsv, jsonl, parquet).")],
    models: Annotated[str | None, typer.Option(help="Names or folders, with commas. Default: those at hand.")] = None,
    licence: common.Licence = "free",
    budget: Annotated[str, typer.Option(help="Time for all models together, for example 90s, 2m, 1h.")] = "2m",
    task: Annotated[str, typer.Option(help=common.TASK)] = "auto",
    metric: common.ChosenBy = "auto",
    test: Annotated[str, typer.Option(help="As for the fit that follows: its test part is not looked at.")] = "0.2",
    seed: Annotated[int, typer.Option(min=0, help="As for the fit that follows.")] = 0,
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
    """Say which pre-trained model suits the data, from one pass of each over a sample."""
    from headstart.api import rank as run
    from headstart.choose.ranking import as_json as row_by_row

    columns = common.columns_of(
        text=text, text2=text2, image=image, label=label, labels=labels, separator=separator, encoding=encoding,
        delimiter=delimiter, image_root=image_root, class_folders=class_folders, group=group,
    )  # fmt: skip
    found = run(
        data,
        models=common.names_in(models),
        licence=licence,
        task=task,
        metric=metric,
        budget=budget,
        test=common.share_or_path(test),
        seed=seed,
        columns=columns,
        device=device,
        threads=threads,
        progress=common.bars(),
    )
    common.show(row_by_row(found), as_json, terminal.ranking)
