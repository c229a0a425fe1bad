"""Any number of photos, each made from its number and from those that a package ships, in tars or in Parquet.

Each is a blend of two pieces of packaged photos in a colour of its own. In every hundred one is a copy of an earlier
one, and one is an earlier one of its hundred that was saved at another quality; in every thousand one is cut off. So
the first photos are the same however many there are.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
from common import packaged
from PIL import Image

OF = 100  # photos, of which those with these numbers are not as the others are:
COPY, SAVED_AGAIN, CUT_OFF = 99, 98, 97  # the last in every tenth hundred
_CLASSES = 10
_SIDE, _QUALITY, _OTHER_QUALITY = 64, 60, 95
_SOURCES = 200  # packaged photos that pieces are cut from


def mixed(number: int) -> int:
    """A number of 64 bits that looks like chance (splitmix64)."""
    number = (number + 0x9E3779B97F4A7C15) & (2**64 - 1)
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 & (2**64 - 1)
    number = (number ^ number >> 27) * 0x94D049BB133111EB & (2**64 - 1)
    return number ^ number >> 31


def origin(number: int) -> int:
    """The photo that one is made from; itself, where it is as the others are."""
    hundred, place = divmod(number, OF)
    if place == COPY:
        return mixed(number) % (hundred + 1) * OF
    return hundred * OF + 1 if place == SAVED_AGAIN else number


def label(number: int) -> int:
    return origin(number) * 2_654_435_761 % 2**32 % _CLASSES


def planted(n: int) -> dict[str, int]:
    """What has to be found in the first n, which are whole thousands."""
    return {"duplicate": n // OF, "near-duplicate": n // OF, "unreadable": n // (10 * OF)}


def photo(number: int) -> bytes:
    """A small JPEG."""
    hundred, place = divmod(number, OF)
    of = origin(number)
    pieces = [_piece(mixed(2 * of + k)).astype(np.uint16) for k in (0, 1)]
    colour = np.array([192 + (mixed(~of & 0xFFFFFFFF) >> shift & 63) for shift in (0, 8, 16)], dtype=np.uint16)
    pixels = ((pieces[0] + pieces[1]) // 2 * colour >> 8).astype(np.uint8)
    content = _jpeg(Image.fromarray(pixels), _QUALITY)
    if place == SAVED_AGAIN:
        return _jpeg(Image.open(io.BytesIO(content)), _OTHER_QUALITY)
    return content[: len(content) // 2] if place == CUT_OFF and hundred % 10 == 0 else content


def _jpeg(image: Image.Image, quality: int) -> bytes:
    written = io.BytesIO()
    image.save(written, "JPEG", quality=quality)
    return written.getvalue()


def _piece(drawn: int) -> np.ndarray:
    """(side, side, 3) uint8."""
    sources = _sources()
    source = sources[drawn % len(sources)]
    height, width = (length - _SIDE for length in source.shape[:2])
    top, left = (drawn >> 16 & 0xFFFF) % height, (drawn >> 32 & 0xFFFF) % width
    piece = source[top : top + _SIDE, left : left + _SIDE]
    return piece[:, ::-1] if drawn >> 63 else piece


@cache
def _sources() -> list[np.ndarray]:
    files = sorted(packaged().rglob("*.jpg"))
    some = files[:: max(1, len(files) // _SOURCES)]
    return [np.asarray(Image.open(file).convert("RGB")) for file in some]


def tars(folder: Path, n: int, each: int) -> list[Path]:
    """So many photos in tars of so many each, as WebDataset has them: 000000123.jpg and 000000123.cls."""
    folder.mkdir()
    paths = [folder / f"photos-{number:06d}.tar" for number in range(-(-n // each))]
    ranges = [range(number * each, min(n, (number + 1) * each)) for number in range(len(paths))]
    with ProcessPoolExecutor() as pool:
        list(pool.map(_tar, paths, ranges))
    return paths


def _tar(path: Path, numbers: Sequence[int]) -> None:
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as file:
        for number in numbers:
            for ending, content in (("jpg", photo(number)), ("cls", str(label(number)).encode())):
                member = tarfile.TarInfo(f"{number:09d}.{ending}")
                member.size = len(content)
                file.addfile(member, io.BytesIO(content))


def table(path: Path, n: int, *, group: int, size: int) -> Path:
    """So many photos as cells of a Parquet file in groups of so many rows, each filled up to so many bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("image", kind), ("label", pa.int64())])
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False) as writer:
        for start in range(0, n, group):
            numbers = range(start, min(n, start + group))
            cells = [{"bytes": photo(number).ljust(size, b"\0"), "path": None} for number in numbers]
            rows = pa.table({"image": cells, "label": [*map(label, numbers)]}, schema)
            writer.write_table(rows, row_group_size=group)
    return path
