"""Which examples are (nearly) the same: fingerprints of images, pairs that are confirmed, and groups of them."""

from __future__ import annotations

import hashlib

import numpy as np
from PIL import Image

from headstart.inputs.image import GUESSED

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
_BLOCK = 4096  # rows, or pairs, at a time
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


def tiny(prints: np.ndarray) -> dict[int, tuple[int, int]]:
    """Rows of photos that are hardly pictures, with width and height. Args: prints: (n, FINGERPRINT) uint8."""
    sizes = prints[:, _WITH_COLOURS : _WITH_COLOURS + 2]
    return {row: (int(sizes[row, 0]), int(sizes[row, 1])) for row in np.flatnonzero(sizes.min(axis=1) < _TINY).tolist()}


def guessed_ranges(prints: np.ndarray) -> list[str]:
    """A note on photos of more than 8 bits that do not say their range. Args: prints: (n, FINGERPRINT) uint8."""
    numbers = np.bincount(prints[:, -1], minlength=len(_RANGES) + 2).tolist()
    tops = [*(f"0 to {top:.0f}" for top in _RANGES), "least to most"]
    said = ", ".join(f"{n:,} by {top}" for n, top in zip(numbers[1:], tops, strict=True) if n)
    what = f"photos of more than 8 bits that do not say their range were read by the first that holds each: {said}"
    return [f"{what}; save them as 8 bits by one scale to have it otherwise"] if said else []


def near_pairs(prints: np.ndarray) -> np.ndarray:
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
    distinct, first, of = np.unique(as_items(prints[some, :_WITH_COLOURS]), return_index=True, return_inverse=True)
    rows = some[first]  # in the order of their content
    middle = np.arange(len(distinct))
    while len(pairs := _confirmed(prints[rows[kept := np.unique(middle)]])):
        step = np.arange(len(distinct))
        step[kept] = kept[_middles(len(kept), pairs)]
        middle = step[middle]
    found = np.concatenate([np.column_stack([rows[of.ravel()], some]), np.column_stack([rows[middle], rows])])
    return np.unique(np.sort(found[found[:, 0] != found[:, 1]], axis=1), axis=0)


def _middles(n: int, pairs: np.ndarray) -> np.ndarray:
    """(n,) the middle of each row's group: of rows with most partners first, each takes those that are in none."""
    both = np.concatenate([pairs, pairs[:, ::-1]])
    both = both[np.argsort(both[:, 0], kind="stable")]
    partners = np.bincount(both[:, 0], minlength=n)
    start = np.concatenate([[0], np.cumsum(partners)])
    middle = np.full(n, -1)
    for row in np.lexsort((np.arange(n), -partners)).tolist():
        if middle[row] < 0:
            near = both[start[row] : start[row + 1], 1]
            middle[near[middle[near] < 0]] = row
            middle[row] = row
    return middle


def _confirmed(prints: np.ndarray) -> np.ndarray:
    """(m, 2) pairs of rows whose pixels are nearly the same."""
    found = [_NONE]
    candidates = _candidates(prints)
    for block in _blocks(len(candidates)):
        rows, of = np.unique(candidates[block], return_inverse=True)
        a, b = of.reshape(-1, 2).T
        light, deviation = _light(prints[rows])
        colours = prints[rows, _LIGHT:_WITH_COLOURS].astype(np.int16)
        near = np.einsum("ij,ij->i", light[a], light[b]) >= _CORRELATION
        near &= np.abs(np.log(deviation[a] / deviation[b])) <= np.log(_MOST_CONTRAST)
        near &= np.abs(colours[a] - colours[b]).max(axis=1) <= _MOST_OF_COLOUR
        near[near] = np.abs(light[a[near]] - light[b[near]]).max(axis=1) * SIDE <= _MOST_IN_A_CELL
        found.append(candidates[block][near])
    return np.concatenate(found)


def _candidates(prints: np.ndarray) -> np.ndarray:
    """(m, 2) pairs of rows that may be near: hashing that keeps neighbours together (Datar et al. 2004).

    The light of each row, without its mean and of length 1, is projected on fixed directions. Flat areas say nothing
    there, and two rows are as near in a projection as they are in their light: there are no ties. In a cell of over 16
    rows each is compared with 16 next ones only: a folder of thousands of look-alikes does not cost the square.
    """
    n, width = len(prints), _TABLES * _PROJECTIONS
    seen = projected(prints)
    cells = np.floor(seen / _CELL).astype(np.int64) + 64  # a projection is at most SIDE
    most = 2 * (1 - _CORRELATION) * _NEAR_IN_PROJECTION**2 * width
    found = [_NONE]
    for table in range(_TABLES):
        mine = slice(table * _PROJECTIONS, (table + 1) * _PROJECTIONS)
        key = cells[:, mine] @ (128 ** np.arange(_PROJECTIONS))
        order = np.lexsort((seen[:, mine.stop % width], key))
        key = key[order]
        for step in range(1, min(_MOST_COMPARED, n - 1) + 1):
            same = key[step:] == key[:-step]
            if not same.any():
                break
            a, b = order[:-step][same], order[step:][same]
            near = ((seen[a] - seen[b]) ** 2).sum(axis=1) <= most
            found.append(np.column_stack([a[near], b[near]]))
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def projected(prints: np.ndarray) -> np.ndarray:
    """(n, 48) float32: the light of each, without its mean and of length 1, in random directions; each is about 1."""
    none = np.empty((0, _DIRECTIONS.shape[1]), dtype=np.float32)
    return np.concatenate([none, *(_light(prints[rows])[0] @ _DIRECTIONS for rows in _blocks(len(prints)))])


def contrast(prints: np.ndarray) -> np.ndarray:
    """(n,) the logarithm of the deviation of its light, above 0; 0 where it is flat."""
    deviation = np.concatenate([_NONE[:, 0], *(_light(prints[rows])[1] for rows in _blocks(len(prints)))])
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
    return light / np.maximum(length, 1e-6)[:, None], length / SIDE


def _blocks(n: int) -> list[np.ndarray]:
    return [np.arange(start, min(start + _BLOCK, n)) for start in range(0, n, _BLOCK)]


def as_items(rows: np.ndarray) -> np.ndarray:
    """(n, k) uint8 -> (n,) of one value a row, that are equal, and in order, by their bytes."""
    return np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1]))).ravel()


def equal_pairs(keys: np.ndarray) -> np.ndarray:
    """Consecutive rows with equal keys, (m, 2) int64. Args: keys: (n, k) uint8."""
    void = as_items(keys)
    order = np.argsort(void, kind="stable")
    same = void[order][1:] == void[order][:-1]
    return np.column_stack([order[:-1][same], order[1:][same]]).astype(np.int64)


def group(n: int, pairs: np.ndarray) -> np.ndarray:
    """(n,) int64 group numbers: rows joined by a chain of pairs share the smallest row number of the chain."""
    parent = list(range(n))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for a, b in pairs.tolist():
        first, second = sorted((root(a), root(b)))
        parent[second] = first
    return np.array([root(row) for row in range(n)], dtype=np.int64)
