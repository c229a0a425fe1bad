"""Which examples are (nearly) the same: fingerprints of images, pairs that are confirmed, and groups of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from headstart.data.alike.equal import in_order
from headstart.inputs.image import GUESSED
from headstart.storage.columns import in_blocks
from headstart.storage.rows_of_bytes import RowsOfBytes, room_for, take

SIDE = 24  # pixels of the thumbnail that a fingerprint is made of
_COLOUR_SIDE = 6  # of its colours, which every JPEG has at a lower resolution than its light
_LIGHT = SIDE * SIDE
_WITH_COLOURS = _LIGHT + 2 * _COLOUR_SIDE**2
FINGERPRINT = _WITH_COLOURS + 3  # bytes; the last, which are not compared: the size, up to 255 pixels, and a range

# Measured on 11 re-encodings each of photos of flowers (JPEG 60 to 95, WebP, PNG, half to double the size): of 99 % the
# correlation is above 0.996 and no cell differs by 0.4 deviations. Of 3,000 other photos, 1,000 drawn grains and 1,797
# digits no two are so near (bench/near_duplicates.py).
_CORRELATION = 0.996
_MOST_IN_A_CELL = 0.4  # deviations: about what a thing of a 20th of the picture's width makes, which is there or not
_MOST_OF_COLOUR = 12  # levels of 255: a red and a blue mark of one light are two things
_MOST_CONTRAST = 1.5  # times that of the other
_TINY = 8  # pixels
_FLAT = 2.0  # levels of deviation, below which there is nothing but noise to compare

# Where pairs are looked for: in one of eight tables, each of six projections, both are in the same cell. The distance
# of a pair is at most 0.09, of which a projection shows about as much: all but 1 in 300 of the farthest are met.
_TABLES, _PROJECTIONS, _CELL = 8, 6, 0.7
_NEAR_IN_PROJECTION = 2.0  # times the largest distance, seen in 48 projections: none of the farthest is farther
_MOST_COMPARED = 16
_MOST_ALONG = 6 * (2 * (1 - _CORRELATION)) ** 0.5  # in any one projection: six deviations of the farthest pairs
_STEP = 0.05  # of a projection, as a byte: it is off by half of that at most
_MOST_APART = 2 * (1 - _CORRELATION) * _NEAR_IN_PROJECTION**2 * _TABLES * _PROJECTIONS  # squared
_MOST_COARSE = (_MOST_APART**0.5 / _STEP + (_TABLES * _PROJECTIONS) ** 0.5) ** 2 + 1  # in steps, however they are off
# Every second three of the projections: enough to tell nearly all pairs that are not near. No pair that is differs more
# in these than it may in all.
_KEPT = np.arange(_TABLES * _PROJECTIONS).reshape(_TABLES, 2, _PROJECTIONS // 2)[:, 0].ravel()
_BLOCK = 4096  # rows, or pairs, at a time
_PIXELS = 1024  # pairs whose pixels are compared at a time
_BITS = 31  # of a row's number
_NONE = np.empty((0, 2), dtype=np.int64)


def _directions() -> np.ndarray:
    """(SIDE**2, tables x projections) float32 of -1 and 1 that are the same on every machine."""
    n = _LIGHT * _TABLES * _PROJECTIONS
    bits = np.unpackbits(np.frombuffer(hashlib.shake_256(b"directions of light").digest(n // 8), np.uint8))
    return (2 * bits.astype(np.float32) - 1).reshape(_LIGHT, -1)


_DIRECTIONS = _directions()
_RANGES = (1.0, 255.0, 4095.0, 65535.0)  # of light of more than 8 bits, as `inputs.image` guesses them


def fingerprint(thumbnail: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """(FINGERPRINT,) uint8: the light of a thumbnail's cells, its colours more coarsely, the size of the photo, and by
    which range it was read.

    Args:
        thumbnail: SIDE x SIDE, RGB.
    """
    top = thumbnail.info.get(GUESSED)
    read_by = 0 if top is None else 1 + (_RANGES.index(top) if top in _RANGES else len(_RANGES))
    whole = thumbnail.convert("YCbCr")
    light, colours = whole.tobytes()[::3], whole.reduce(SIDE // _COLOUR_SIDE).tobytes()
    sides = bytes(min(side, 255) for side in size)
    return np.frombuffer(light + colours[1::3] + colours[2::3] + sides + bytes([read_by]), np.uint8)


def tiny(prints: RowsOfBytes) -> dict[int, tuple[int, int]]:
    """Rows of photos that are hardly pictures, with width and height. Args: prints: (n, FINGERPRINT) uint8."""
    found: dict[int, tuple[int, int]] = {}
    for rows in _blocks(len(prints)):
        sizes = prints[rows][:, _WITH_COLOURS : _WITH_COLOURS + 2]
        small = np.flatnonzero(sizes.min(axis=1) < _TINY)
        found |= dict(zip(rows[small].tolist(), map(tuple, sizes[small].tolist()), strict=True))
    return found


def guessed_ranges(prints: RowsOfBytes) -> list[str]:
    """A note on photos of more than 8 bits that do not say their range. Args: prints: (n, FINGERPRINT) uint8."""
    numbers = np.zeros(len(_RANGES) + 2, dtype=np.int64)
    for rows in _blocks(len(prints)):
        numbers += np.bincount(prints[rows][:, -1], minlength=len(numbers))
    tops = [*(f"0 to {top:.0f}" for top in _RANGES), "least to most"]
    said = ", ".join(f"{n:,} by {top}" for n, top in zip(numbers[1:].tolist(), tops, strict=True) if n)
    what = f"photos of more than 8 bits that do not say their range were read by the first that holds each: {said}"
    return [f"{what}; save them as 8 bits by one scale to have it otherwise"] if said else []


def near_pairs(prints: RowsOfBytes) -> np.ndarray:
    """Pairs of rows that are nearly the same, each with the middle one of its group: no chain joins two that are not.

    The row with most confirmed partners is the middle of a group, and they are in it; then the next one that is in none
    yet. Middles that are partners join: in a folder of thousands of look-alikes not every pair was looked at. The order
    of the rows does not matter.

    Args:
        prints: (n, FINGERPRINT) uint8, from `fingerprint`.

    Returns:
        (m, 2) int64; of rows with equal fingerprints each is paired with the first.
    """
    some = np.concatenate([rows[_light(prints[rows])[1] >= _FLAT] for rows in _blocks(len(prints))] or [_NONE[:, 0]])
    order, new = in_order(take(prints, some), width=_WITH_COLOURS)
    first = order[new]
    copies = _with_another(some[first][np.cumsum(new) - 1], some[order])
    rows = some[first].astype(np.int32)  # in the order of their content
    del order, new, some, first
    middle = np.arange(len(rows), dtype=np.int32)
    while len(pairs := _confirmed(take(prints, rows[kept := np.unique(middle)]))):
        step = np.arange(len(rows), dtype=np.int32)
        step[kept] = kept[_middles(len(kept), pairs)]
        middle = step[middle]
    return _unpacked(np.unique(np.concatenate([copies, _with_another(rows[middle], rows)])))


def _with_another(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(m,) int64: those of these pairs of rows that are two, the smaller one first, each pair as one number."""
    two = np.flatnonzero(a != b)
    a, b = a[two].astype(np.int64), b[two].astype(np.int64)
    return (np.minimum(a, b) << _BITS) | np.maximum(a, b)


def _unpacked(pairs: np.ndarray) -> np.ndarray:
    """(m, 2) int64."""
    return np.column_stack([pairs >> _BITS, pairs & ((1 << _BITS) - 1)])


def _middles(n: int, pairs: np.ndarray) -> np.ndarray:
    """(n,) the middle of each row's group: of rows with most partners first, each takes those that are in none."""
    both = np.concatenate([pairs, pairs[:, ::-1]])
    both = both[np.argsort(both[:, 0], kind="stable")]
    partners = np.bincount(both[:, 0], minlength=n)
    start = np.concatenate([[0], np.cumsum(partners)])
    middle = np.where(partners, -1, np.arange(n))
    for row in in_blocks(np.lexsort((np.arange(n), -partners))[: np.count_nonzero(partners)]):
        if middle[row] < 0:
            near = both[start[row] : start[row + 1], 1]
            middle[near[middle[near] < 0]] = row
            middle[row] = row
    return middle


def _confirmed(prints: RowsOfBytes) -> np.ndarray:
    """(m, 2) pairs of rows whose pixels are nearly the same."""
    found = [_NONE]
    candidates = _candidates(prints)
    for block in _blocks(len(candidates), _PIXELS):
        pairs = _unpacked(candidates[block])
        rows, of = np.unique(pairs, return_inverse=True)
        a, b = of.reshape(-1, 2).T
        seen = prints[rows]
        light, deviation = _light(seen)
        colours = seen[:, _LIGHT:_WITH_COLOURS].astype(np.int16)
        near = np.einsum("ij,ij->i", light[a], light[b]) >= _CORRELATION
        near &= np.abs(np.log(deviation[a] / deviation[b])) <= np.log(_MOST_CONTRAST)
        near &= np.abs(colours[a] - colours[b]).max(axis=1) <= _MOST_OF_COLOUR
        near[near] = np.abs(light[a[near]] - light[b[near]]).max(axis=1) * SIDE <= _MOST_IN_A_CELL
        found.append(pairs[near])
    return np.concatenate(found)


def _candidates(prints: RowsOfBytes) -> np.ndarray:
    """(m,) pairs of rows that may be near: hashing that keeps neighbours together (Datar et al. 2004).

    The light of each row, without its mean and of length 1, is projected on fixed directions. Flat areas say nothing
    there, and two rows are as near in a projection as they are in their light: there are no ties. In a cell rows are in
    the order of one more projection, and each is compared with those that are near in it, at most the 16 next ones: a
    folder of thousands of look-alikes does not cost the square, and full cells of very many photos cost little.

    Of many rows the projections are on disk, and a byte of every second one is in memory: what differs more than these
    can hide is not near.
    """
    n = len(prints)
    exact, coarse = _projections(prints)
    pairs = _NONE[:, 0]
    for table in range(_TABLES):
        order, key, beside = _cells(exact, slice(table * _PROJECTIONS, (table + 1) * _PROJECTIONS))
        found = [pairs]
        for step in range(1, min(_MOST_COMPARED, n - 1) + 1):
            same = np.flatnonzero((key[step:] == key[:-step]) & (beside[step:] - beside[:-step] <= _MOST_ALONG))
            if not len(same):
                break
            for block in _blocks(len(same)):
                a, b = order[same[block]], order[same[block] + step]
                apart = (coarse[a].astype(np.int32) - coarse[b]) ** 2
                maybe = apart.sum(axis=1) <= _MOST_COARSE
                found.append(_with_another(a[maybe], b[maybe]))
        pairs = np.unique(np.concatenate(found))
    return pairs[_near_enough(exact, pairs)]


def _near_enough(exact: RowsOfBytes, pairs: np.ndarray) -> np.ndarray:
    """(m,) bool: whether the projections of each pair are as near as those of near rows are."""
    near = np.zeros(len(pairs), dtype=bool)
    for block in _blocks(len(pairs)):
        a, b = _unpacked(pairs[block]).T
        near[block] = ((_floats(exact, a) - _floats(exact, b)) ** 2).sum(axis=1) <= _MOST_APART
    return near


def _projections(prints: RowsOfBytes) -> tuple[RowsOfBytes, np.ndarray]:
    """(n, 4 x 48) uint8, the bytes of `projected`; and (n, 24) int8, some of them in steps, as far as they go."""
    n, width = len(prints), _TABLES * _PROJECTIONS
    exact, coarse = room_for(n, 4 * width), np.empty((n, len(_KEPT)), dtype=np.int8)
    for rows in _blocks(n):
        seen, here = projected(prints[rows]), slice(rows[0], rows[-1] + 1)
        exact[here] = seen.view(np.uint8)
        coarse[here] = np.clip(np.rint(seen[:, _KEPT] / _STEP), -127, 127)
    return exact, coarse


def _floats(exact: RowsOfBytes, rows: np.ndarray) -> np.ndarray:
    return exact[rows].view(np.float32)


def _cells(exact: RowsOfBytes, mine: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n,) rows in the order of the cell of a table that they are in, and of one more projection; their cells, and that
    projection."""
    key, beside = np.empty(len(exact), dtype=np.int64), np.empty(len(exact), dtype=np.float32)
    for rows in _blocks(len(exact)):
        seen = _floats(exact, rows)
        cells = np.floor(seen[:, mine] / _CELL).astype(np.int64) + 64  # a projection is at most SIDE
        key[rows] = cells @ (128 ** np.arange(_PROJECTIONS))
        beside[rows] = seen[:, mine.stop % seen.shape[1]]
    order = np.lexsort((beside, key)).astype(np.int32)
    return order, key[order], beside[order]


def projected(prints: np.ndarray) -> np.ndarray:
    """(n, 48) float32: the light of each, without its mean and of length 1, in random directions; each is about 1."""
    return _light(prints)[0] @ _DIRECTIONS


def contrast(prints: np.ndarray) -> np.ndarray:
    """(n,) the logarithm of the deviation of its light, above 0; 0 where it is flat."""
    deviation = _light(prints)[1]
    return np.log(np.where(deviation < _FLAT, 1.0, deviation))


def light_of(prints: np.ndarray) -> np.ndarray:
    """(2, n) the mean level of each photo, 0 to 255, and the deviation of its cells. Args: (n, FINGERPRINT) uint8."""
    light = prints[:, :_LIGHT].astype(np.float32)
    return np.stack([light.mean(axis=1), light.std(axis=1)])


def mean_colours(prints: np.ndarray) -> np.ndarray:
    """(n, 2) uint8."""
    colours = prints[:, _LIGHT:_WITH_COLOURS].reshape(len(prints), 2, _COLOUR_SIDE**2)
    return np.rint(colours.mean(axis=2)).astype(np.uint8)


def _light(prints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, SIDE**2) float32 light without its mean and of length 1; and (n,) its deviation in levels."""
    light = prints[:, :_LIGHT].astype(np.float32)
    light -= light.mean(axis=1, keepdims=True)
    length = np.linalg.norm(light, axis=1)
    light /= np.maximum(length, 1e-6)[:, None]
    return light, length / SIDE


def _blocks(n: int, each: int = _BLOCK) -> Iterator[np.ndarray]:
    return (np.arange(start, min(start + each, n)) for start in range(0, n, each))
