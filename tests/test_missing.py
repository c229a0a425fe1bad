"""What says that a value is missing, as labels, groups and columns of 0 and 1 have it: one list, and a note."""

from __future__ import annotations

import pandas as pd
import pytest

import headstart as hs
from headstart.values import Columns
from layouts import sentences

MARKS = ("NA", "nan", "None", "<NA>", "#N/A", "NULL", "?")


def read(*, columns: Columns | None = None, **more):
    return hs.check(pd.DataFrame({"text": sentences("soup", 60), **more}), columns=columns)


def told(found) -> str:
    return "\n".join(found.notes)


@pytest.mark.parametrize("mark", MARKS)
def test_as_labels_they_are_kept_and_said(mark):
    found = read(label=["good", "bad", mark] * 20)
    assert found.counts == {mark: 20, "bad": 20, "good": 20}
    assert f"20 labels are {mark!r}, which often says that a value is missing; taken as a label" in told(found)
    alone = hs.check(found.dataset.inputs, labels=["good", "bad", mark] * 20)
    assert f"20 labels are {mark!r}, which often says that a value is missing" in told(alone)


@pytest.mark.parametrize("mark", MARKS)
def test_as_groups_they_are_none(mark):
    of = [mark if number % 2 else f"p{number % 20}" for number in range(60)]
    found = read(label=["good", "good", "bad"] * 20, patient=of, columns=Columns(group="patient"))
    assert len(set(found.dataset.groups.tolist())) == 30 + 10
    assert f"30 examples are of group {mark!r}, which often says that a value is missing: taken as none" in told(found)


@pytest.mark.parametrize("mark", MARKS)
def test_in_columns_of_0_and_1_they_say_nothing(mark):
    found = read(hot=["1", "0", mark] * 20, sour=["1", "1", mark] * 20, cold=["0", "1", mark] * 20)
    assert (found.dataset.task.name, len(found.dataset)) == ("multilabel", 40)
    assert len([finding for finding in found.dataset.findings if finding.rejected]) == 20
    marked = read(hot=["x", "", mark] * 20, sour=["", "x", "x"] * 20, columns=Columns(labels=["hot", "sour"]))
    assert f"an empty cell, {mark!r} taken as 0, since nothing else says no" in told(marked)
