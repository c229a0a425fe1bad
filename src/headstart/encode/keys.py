"""Keys of rows: sha256 sums of 32 bytes, sorted and looked up by their first eight, which numpy compares as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

KEY = 32  # bytes
LEADING = 8  # of them


def order_of(keys: np.ndarray) -> np.ndarray:
    """(n, 32) uint8 -> (n,) int64: the order by all of their bytes, in which equal ones stay as they come."""
    leading = leading_of(keys)
    order = np.argsort(leading, kind="stable")
    tied = order[:-1][np.diff(leading[order]) == 0] if len(order) else order
    following = order[1:][np.diff(leading[order]) == 0] if len(order) else order
    if (keys[tied] != keys[following]).any():  # two sums with eight bytes in common: once in the life of some user
        order = np.lexsort([leading_of(keys[:, start:]) for start in (24, 16, 8, 0)])
    return order


def first_of_each(keys: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Of keys in their order the first of each: (m,) places, in that order."""
    if not len(order):
        return order
    new = np.ones(len(order), dtype=bool)
    for start in range(1, len(order), 1 << 20):  # so that no copy of all keys is made
        here, before = order[start : start + (1 << 20)], order[start - 1 : start - 1 + (1 << 20)]
        new[start : start + len(here)] = (keys[here] != keys[before[: len(here)]]).any(axis=1)
    return order[new]


@dataclass(frozen=True)
class Sorted:
    """Different keys in order, to be looked up; in two parts, so that it takes 32 bytes a key."""

    leading: np.ndarray  # (n,) uint64, the first eight bytes
    rest: np.ndarray  # (n, 24) uint8

    @classmethod
    def of(cls, keys: np.ndarray) -> Sorted:
        """(n, 32) uint8, in order."""
        return cls(leading_of(keys), np.ascontiguousarray(keys[:, LEADING:]))

    def __len__(self) -> int:
        return len(self.leading)

    def keys(self, at: np.ndarray | slice) -> np.ndarray:
        """Places -> (m, 32) uint8."""
        first = np.ascontiguousarray(self.leading[at]).astype(">u8").view(np.uint8).reshape(-1, LEADING)
        return np.concatenate([first, self.rest[at]], axis=1)

    def find(self, wanted: np.ndarray) -> np.ndarray:
        """(m, 32) uint8 -> (m,) int64 places; -1 where a key is not among them."""
        found = np.full(len(wanted), -1, dtype=np.int64)
        if not len(self) or not len(wanted):
            return found
        leading, left = leading_of(wanted), np.arange(len(wanted))
        at = np.searchsorted(self.leading, leading)
        while len(left):  # once, but for keys whose first eight bytes are another's, too
            here = np.minimum(at[left], len(self) - 1)
            same = (self.leading[here] == leading[left]) & (self.rest[here] == wanted[left, LEADING:]).all(axis=1)
            found[left] = np.where(same, here, -1)
            at[left] += 1
            more = np.minimum(at[left], len(self) - 1)
            left = left[(found[left] < 0) & (at[left] < len(self)) & (self.leading[more] == leading[left])]
        return found


def leading_of(keys: np.ndarray) -> np.ndarray:
    """(n, 8 or more) uint8 -> (n,) uint64: the first eight bytes as a number, by which keys have the same order."""
    return np.ascontiguousarray(keys[:, :LEADING]).view(">u8").ravel().astype(np.uint64)
