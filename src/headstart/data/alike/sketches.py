"""What a saved model keeps of its examples, by which it knows them again where they come lightly changed.

No example can be read off it: of a text it is a hash, of a photo some random projections.
"""

from __future__ import annotations

import numpy as np

from headstart.data.alike.duplicates import contrast, mean_colours, projected
from headstart.data.alike.equal import as_items
from headstart.storage.rows_of_bytes import RowsOfBytes

_HASH = 16  # bytes of `inputs.text.normalised_hash`
_SHORT = 8  # bytes of a hash of texts that tell it from millions of others
_STEP = 0.05  # of a projection, which is about 1 for a photo whose light has a deviation of 1
_CONTRAST_STEP = 0.03  # of its logarithm
_DIRECTIONS = 48  # as many as `projected` gives

# Mean square of how far the projections of two photos differ. Measured on the re-encodings, and the other pictures, of
# bench/near_duplicates.py: of 98 % of the copies it is below (99.9 % of those that skip no pixels; 97 % of WebP copies
# of woven cloth at two thirds); of 1,700 photos no two are, of 1,797 digits 2, of 600 grains drawn on one ground 10.
_NEAR = 0.008
_NEAR_CONTRAST = 0.4  # difference of logarithms: half as much again
_NEAR_COLOUR = 6  # levels of 255
_BLOCK = 4096  # photos at a time
_AT_ONCE = 1 << 24  # distances in memory


def sketch_of_texts(hashes: np.ndarray) -> np.ndarray:
    """(n, 8) uint8, or (n, 16) of pairs, that are equal for equal hashes. Args: hashes: (n, 16), or (n, 32), uint8."""
    n, texts = len(hashes), hashes.shape[1] // _HASH
    return hashes.reshape(n, texts, _HASH)[:, :, :_SHORT].copy().reshape(n, texts * _SHORT)  # the hashes may go


def equal_to_any(mine: np.ndarray, learned: np.ndarray) -> np.ndarray:
    """(n,) bool: which of `mine` is among `learned`. Args: (n, k) and (m, k) uint8, from `sketch_of_texts`."""
    return np.isin(as_items(mine), as_items(learned))


def sketch_of_photos(prints: RowsOfBytes) -> np.ndarray:
    """(n, 51) uint8: projections of the light, its contrast, and the mean of the colours.

    Args:
        prints: (n, FINGERPRINT) uint8, from `duplicates.fingerprint`.
    """
    out = np.empty((len(prints), _DIRECTIONS + 3), dtype=np.uint8)
    for start in range(0, len(prints), _BLOCK):
        some = prints[start : start + _BLOCK]
        seen = np.clip(np.rint(projected(some) / _STEP), -127, 127).astype(np.int8).view(np.uint8)
        strength = np.clip(np.rint(contrast(some) / _CONTRAST_STEP), 0, 255).astype(np.uint8)
        out[start : start + _BLOCK] = np.column_stack([seen, strength, mean_colours(some)])
    return out


def near_to_any(mine: np.ndarray, learned: np.ndarray) -> np.ndarray:
    """(n,) bool: which photo of `mine` looks nearly the same as one of `learned`; one that is flat never does.

    Args:
        mine, learned: (n, 51) and (m, 51) uint8, from `sketch_of_photos`.
    """
    near = np.zeros(len(mine), dtype=bool)
    learned, mine_there = learned[learned[:, _DIRECTIONS] > 0], np.flatnonzero(mine[:, _DIRECTIONS] > 0)
    theirs, rest = _parts(learned)
    block = max(1, _AT_ONCE // max(1, len(learned)))
    for start in range(0, len(mine_there) if len(learned) else 0, block):
        rows = mine_there[start : start + block]
        seen, own = _parts(mine[rows])
        squares = (seen**2).sum(axis=1)[:, None] + (theirs**2).sum(axis=1) - 2 * seen @ theirs.T
        a, b = np.nonzero(squares < _NEAR * _DIRECTIONS)
        apart = np.abs(own[a] - rest[b])
        same = (apart[:, 0] * _CONTRAST_STEP <= _NEAR_CONTRAST) & (apart[:, 1:].max(axis=1, initial=0) <= _NEAR_COLOUR)
        near[rows[a[same]]] = True
    return near


def _parts(sketches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 48) float32 projections, and (n, 3) int16 contrast and colours."""
    projections = np.ascontiguousarray(sketches[:, :_DIRECTIONS]).view(np.int8).astype(np.float32) * _STEP
    return projections, sketches[:, _DIRECTIONS:].astype(np.int16)
