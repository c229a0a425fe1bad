"""`headstart encode`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from headstart.commands import common, streams
from headstart.errors import UserError


def encode(  # noqa: PLR0913 - one argument an option
    store: Annotated[Path, typer.Option(help="Folder for the features, which machines may share.")],
    data: Annotated[str | None, typer.Argument(help="Data as for `fit`.")] = None,
    shard: Annotated[str, typer.Option(help="The share that is computed: 3/100 is the third of a hundred.")] = "1/1",
    merge: Annotated[bool, typer.Option("--merge", help="Gather what all shards have computed.")] = False,
    task: Annotated[str, typer.Option(help=common.TASK)] = "auto",
    model: Annotated[str, typer.Option(help="auto, a catalog or hub name, or a folder.")] = "auto",
    licence: common.Licence = "free",
    precision: common.Precision = "auto",
    keep: common.Keep = None,
    test: Annotated[str, typer.Option(help="As for the fit: a path with test examples.")] = "0.2",
    max_length: common.MaxLength = None,
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
    """Compute features into a folder that machines share, shard by shard; `fit --store` then computes none."""
    streams.outlive_terminal()
    if merge:
        if data is not None:
            raise UserError("all that is in the store is gathered", where="--merge", fix="leave DATA out")
        from headstart.cluster.encode import merge_shards

        common.show(merge_shards(store).to_json(), as_json, _merged)
        return
    if data is None:
        raise UserError("no data", where="DATA", fix="headstart encode DATA --store FOLDER; or --merge --store FOLDER")
    from headstart.cluster.encode import encode_shard

    columns = common.columns_of(
        text=text, text2=text2, image=image, label=label, labels=labels, separator=separator, encoding=encoding,
        delimiter=delimiter, image_root=image_root, class_folders=class_folders, group=group,
    )  # fmt: skip
    done = encode_shard(
        data, store=store, shard=shard, task=task, model=model, licence=licence, precision=precision,
        keep=keep, test=common.share_or_path(test), max_length=max_length, columns=columns, device=device,
        threads=threads, progress=common.bars(),
    )  # fmt: skip
    common.show(done.to_json(), as_json, _encoded)


def _encoded(result: dict[str, Any]) -> str:
    known = result["chunks"] - result["computed"]
    left = f", {result['left_out']:,} examples cannot be used" if result["left_out"] else ""
    done = f"{result['computed']:,} chunks computed, {known:,} known{left}"
    where = f"{result['store']}: {result['model']}, {result['precision']}, kept in {result['kept']}"
    return f"shard {result['shard']} of {result['rows']:,} examples: {done}\n{where}"


def _merged(result: dict[str, Any]) -> str:
    lines = [f"  {t['about']:40} {t['rows']:12,} rows {t['bytes'] / 1e6:12,.1f} MB{_cost(t)}" for t in result["tables"]]
    return "\n".join([str(result["store"]), *lines])


def _cost(table: dict[str, Any]) -> str:
    from headstart.encode.works import share_lost

    return f", in int8, which costs {share_lost(table['loss'])}" if "loss" in table else ""
