"""Tars as WebDataset has them, and Parquet files as the hub has them, of photos at hand."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

CLASSES = ("global", "nominal")


def tar(path: Path, members: Iterable[tuple[str, bytes]], form: int = tarfile.GNU_FORMAT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=form) as file:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return path


def files_in(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.jpg"))


def samples(photos: Iterable[Path]) -> Iterable[tuple[str, bytes]]:
    """Each photo with the number of its class."""
    for photo in photos:
        key = f"{photo.parent.name}-{photo.stem}"
        yield f"{key}.jpg", photo.read_bytes()
        yield f"{key}.cls", str(CLASSES.index(photo.parent.name)).encode()


def shards(folder: Path, photos: list[Path], *names: str) -> Path:
    """The photos dealt out to tars of these names, with the names of their classes beside them."""
    for number, name in enumerate(names):
        tar(folder / name, samples(photos[number :: len(names)]))
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    return folder


def hub_table(photos: list[Path]) -> pa.Table:
    """As `push_to_hub` writes it."""
    about = {"image": {"_type": "Image"}, "label": {"names": list(CLASSES), "_type": "ClassLabel"}}
    cells = [{"bytes": photo.read_bytes(), "path": photo.name} for photo in photos]
    labels = [CLASSES.index(photo.parent.name) for photo in photos]
    made = pa.table({"image": cells, "label": labels})
    return made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": about}})})


def hub(folder: Path, photos: list[Path], *names: str, group: int = 7) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        pq.write_table(hub_table(photos[number :: len(names)]), folder / name, row_group_size=group)
    return folder
