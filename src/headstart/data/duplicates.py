"""Which examples are (nearly) the same: perceptual hashes for images, and grouping by shared hashes."""

from __future__ import annotations

import numpy as np
from PIL import Image

HASH_WORDS = 4  # 256 bits in uint64
_NEAR_BITS = 7  # of 256; below the number of 32-bit bands, so that a near pair shares at least one band exactly
_BANDS = 8
_MOST_IN_A_BAND = 64


def perceptual_hash(image: Image.Image) -> np.ndarray:
    """(4,) uint64: is each of 16 x 16 cells darker than its right neighbour (difference hash, N. Krawetz 2013).

    All zero for an image without structure (a plain colour): such hashes say nothing and are never compared.
    """
    grey = np.asarray(image.convert("L").resize((17, 16), Image.Resampling.BOX), dtype=np.int16)
    if grey.max() - grey.min() < 8:
        return np.zeros(HASH_WORDS, dtype=np.uint64)
    return np.packbits(grey[:, 1:] > grey[:, :-1]).view(np.uint64)


def near_pairs(hashes: np.ndarray) -> np.ndarray:
    """Pairs of rows whose hashes differ in at most 7 of 256 bits.

    Multi-index hashing (Norouzi et al. 2012): eight bands of 32 bits, of which a near pair shares one. Rows are sorted
    by band and compared within runs of equal bands. In a run of over 64 rows each is compared with its 64 next ones
    only, which keeps a folder of thousands of look-alikes from costing the square.

    Args:
        hashes: (n, 4) uint64.

    Returns:
        (m, 2) int64; of rows with equal hashes each is paired with the first, so that m does not grow with the square.
    """
    some = np.flatnonzero(hashes.any(axis=1))
    _, first, of = np.unique(hashes[some], axis=0, return_index=True, return_inverse=True)
    rows, equal = some[np.sort(first)], np.column_stack([some[first[of.ravel()]], some])
    bands = np.ascontiguousarray(hashes).view(np.uint32)
    found = [equal[equal[:, 0] != equal[:, 1]]]
    for band in range(_BANDS):
        order = rows[np.lexsort((*hashes[rows].T, bands[rows, band]))]
        key = bands[order, band]
        for step in range(1, min(_MOST_IN_A_BAND, len(order) - 1) + 1):
            same = key[step:] == key[:-step]
            if not same.any():
                break
            a, b = order[:-step][same], order[step:][same]
            near = np.bitwise_count(hashes[a] ^ hashes[b]).sum(axis=1) <= _NEAR_BITS
            found.append(np.column_stack([a[near], b[near]]))
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def equal_pairs(keys: np.ndarray) -> np.ndarray:
    """Consecutive rows with equal keys, (m, 2) int64. Args: keys: (n, k) uint8."""
    void = np.ascontiguousarray(keys).view(np.dtype((np.void, keys.shape[1]))).ravel()
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
