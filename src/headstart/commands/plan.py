"""`headstart plan`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from headstart.commands import common
from headstart.errors import UserError


def plan(  # noqa: PLR0913 - one argument an option
    data: Annotated[str, typer.Argument(help="Data as for `fit`.")],
    machines: Annotated[str, typer.Option(help="How many machines like this one to project for.")] = "1,4,16,64",
    task: Annotated[str, typer.Option(help=common.TASK)] = "auto",
    model: Annotated[str, typer.Option(help="auto, a catalog or hub name, or a folder.")] = "auto",
    licence: common.Licence = "free",
    precision: common.Precision = "auto",
    keep: common.Keep = None,
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
    """Say what encoding the data takes before it is done: hours and disk, on one machine and on several."""
    from headstart.cluster.plan import plan as run

    columns = common.columns_of(
        text=text, text2=text2, image=image, label=label, labels=labels, separator=separator, encoding=encoding,
        delimiter=delimiter, image_root=image_root, class_folders=class_folders, group=group,
    )  # fmt: skip
    made = run(
        data, machines=_numbers(machines), task=task, model=model, licence=licence, precision=precision,
        keep=keep, max_length=max_length, columns=columns, device=device, threads=threads, progress=common.bars(),
    )  # fmt: skip
    common.show(made.to_json(), as_json, _told)


def _numbers(typed: str) -> list[int]:
    try:
        return [int(number) for number in typed.split(",")]
    except ValueError:
        raise UserError(f"no numbers: {typed!r}", where="--machines", fix="--machines 1,4,16") from None


def _told(plan: dict[str, Any]) -> str:
    counted = "" if plan["rows_counted"] else ", projected from the beginning of the file"
    check, encode = plan["check_per_second"], plan["encode_per_second"]
    one = plan["machines"][0]
    first = "1 machine" if one["machines"] == 1 else f"{one['machines']} machines"
    return "\n".join(
        [
            f"{plan['data']}: {plan['rows']:,} examples{counted}, {_bytes(plan['data_bytes'])}",
            f"model: {plan['model']}: {plan['why']}",
            f"measured here on {plan['sample']:,} examples: {check:,.0f} a second are checked, {encode:,.0f} encoded",
            f"measured here: {_bytes(plan['memory'])} of memory at most",
            f"projected: {_bytes(plan['disk'])} on disk, twice that while shards are merged",
            *_kept(plan),
            f"projected: about {_bytes(plan['memory_all'])} of memory for the process that fits, beside the data",
            "projected: hours of reading, checking and encoding, without waiting for disks or networks that are shared",
            "  machines      as measured     if twice as slow     if twice as fast",
            *(
                f"  {row['machines']:8,} {measured:>15} {twice:>20} {half:>20}"
                for row in plan["machines"]
                for measured, twice, half in [[_time(row[name]) for name in ("hours", "if_twice", "if_half")]]
            ),
            f"wrong by a factor of two: {_time(one['hours'])} more on {first}, or {_time(one['if_half'])} less; "
            "the disk stays the same",
        ]
    )


def _kept(plan: dict[str, Any]) -> list[str]:
    from headstart.encode.works import share_lost

    if plan["kept"] == "int8":
        return [f"measured here: int8 costs {share_lost(plan['loss'])}"]
    return [f"with --keep int8: {_bytes(plan['disk_in_int8'])}, which costs {share_lost(plan['loss'])}: measured here"]


def _time(hours: float) -> str:
    seconds = 3600 * hours
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if hours < 1.5 else f"{hours:,.1f} h"


def _bytes(size: float) -> str:
    unit = next((name for name, of in (("GB", 1e9), ("MB", 1e6)) if size >= of), "KB")
    return f"{size / {'GB': 1e9, 'MB': 1e6, 'KB': 1e3}[unit]:,.1f} {unit}"
