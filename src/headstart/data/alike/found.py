"""Findings on many examples, each made when it is asked for: a million of them are a few numbers each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headstart.storage.columns import Coded, Lazy
from headstart.values import Finding

Complaint = tuple[str, str]  # kind and reason of a finding
Remark = tuple[str, str, str]  # kind of a finding, and what its reason says before and after where the other example is


def left_out(where: Sequence[str], rows: np.ndarray, complaints: Coded[Complaint]) -> Sequence[Finding]:
    """That the examples in these rows are of no use, each with its complaint."""
    return Lazy(_LeftOut(where, rows, complaints), range(len(rows)))


def beside(where: Sequence[str], rows: np.ndarray, others: np.ndarray, remarks: Coded[Remark]) -> Sequence[Finding]:
    """That the examples in these rows are to be seen beside others, each with its remark."""
    return Lazy(_Beside(where, rows, others, remarks), range(len(rows)))


@dataclass(frozen=True, slots=True, eq=False)
class _LeftOut:
    where: Sequence[str]
    rows: np.ndarray
    complaints: Coded[Complaint]

    def __call__(self, number: int) -> Finding:
        kind, reason = self.complaints[number]
        return Finding(kind, self.where[int(self.rows[number])], reason, rejected=True)


@dataclass(frozen=True, slots=True, eq=False)
class _Beside:
    where: Sequence[str]
    rows: np.ndarray
    others: np.ndarray
    remarks: Coded[Remark]

    def __call__(self, number: int) -> Finding:
        kind, before, after = self.remarks[number]
        other = self.where[int(self.others[number])]
        return Finding(kind, self.where[int(self.rows[number])], f"{before}{other}{after}", other=other)
