"""`headstart evaluate`."""

from __future__ import annotations

from typing import Annotated

import typer

from headstart.commands import common


def evaluate(  # noqa: PLR0913 - one argument an option
    model: Annotated[str, typer.Argument(help="A saved folder.")],
    data: Annotated[str, typer.Argument(help="Data as for `fit`: labelled, or questions with contexts and answers.")],
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
    """Score a saved model on other data of its task; classes are matched by name, columns are those of the fit."""
    from dataclasses import asdict

    from headstart.encode.machine import using
    from headstart.model import load

    with using(device, threads):
        loaded = load(model)
        columns = common.columns_of(
            text=text, text2=text2, image=image, label=label, labels=labels, separator=separator, encoding=encoding,
            delimiter=delimiter, image_root=image_root, class_folders=class_folders, group=group,
        )  # fmt: skip
        found = loaded.evaluate(data, columns=columns, progress=common.bars())
    matched = {"missing_classes": list(found.missing), "extra_classes": list(found.extra)} if loaded.classes else {}
    result = {
        "model": model,
        **found.scores.to_json(),
        **matched,
        "n_rejected": sum(f.rejected for f in found.findings),
        "findings": [f.to_json() for f in found.findings],
        "notes": list(found.notes),
        "warnings": [asdict(caution) for caution in found.cautions],
    }
    task = loaded.task
    common.show(result, as_json, lambda summary: task.words.scored(summary, task.scorer.metrics))
