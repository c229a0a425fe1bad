"""`headstart check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headstart.commands import common


def check(  # noqa: PLR0913 - one argument an option
    data: Annotated[str, typer.Argument(help="Data as for `fit`.")],
    task: Annotated[str, typer.Option(help=common.TASK)] = "auto",
    test: Annotated[str, typer.Option(help="Share kept for the test, or a path with test examples.")] = "0.2",
    seed: Annotated[int, typer.Option(min=0, help="As for the fit that follows: it has the same parts.")] = 0,
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
    model: Annotated[str, typer.Option(help="Whose features are used: auto, a name or a folder.")] = "auto",
    no_model: Annotated[bool, typer.Option("--no-model", help="Leave out what takes a model.")] = False,
    out: Annotated[Path | None, typer.Option(help="New folder for report.html and findings.csv.")] = None,
    apply: Annotated[
        str | None, typer.Option(help="drop, relabel or an edited findings.csv: new data in --out.")
    ] = None,
    as_json: common.Json = False,
) -> None:
    """Say what `fit` would learn from and test on, and what is odd about it: doubtful labels, duplicates, shortcuts."""
    from headstart.api import check as run
    from headstart.errors import UserError
    from headstart.report.checked import summary

    if apply is not None and out is None:
        raise UserError("new data need a place", where=f"--apply {apply}", fix="--out FOLDER, which is not there yet")

    columns = common.columns_of(
        text=text, text2=text2, image=image, label=label, labels=labels, separator=separator, encoding=encoding,
        delimiter=delimiter, image_root=image_root, class_folders=class_folders, group=group,
    )  # fmt: skip
    found = run(
        data,
        task=task,
        test=common.share_or_path(test),
        seed=seed,
        model=None if no_model else model,
        columns=columns,
        progress=common.bars(),
    )
    result = found.to_json()
    if out is not None:
        result |= {"out": str(out)}
        common.bars().note(found.save(out, apply=apply))
    common.show(result, as_json, summary)
