"""Rows of labelling tools with anything in the places of what the tools write: they are read, left out, or refused."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import headstart as hs
from headstart.errors import DataError, UserError

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.sampled_from(["", "a", "choices"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["text", "start", "a"]), inner),
    max_leaves=4,
)


def perhaps(**fields: st.SearchStrategy) -> st.SearchStrategy:
    """An object of these fields, each of them perhaps anything or not there; or anything else."""
    return st.fixed_dictionaries({}, optional={name: ANYTHING | value for name, value in fields.items()}) | ANYTHING


WHOLE = ("choices", "rating", "number", "taxonomy", "textarea", "labels")
RESULT = perhaps(
    type=st.sampled_from(WHOLE),
    from_name=st.just("mood"),
    value=perhaps(**dict.fromkeys(WHOLE, st.just(["good"]))),
)
ANNOTATION = perhaps(result=st.lists(RESULT, max_size=2), was_cancelled=st.booleans(), ground_truth=st.booleans())
SPANS = st.lists(st.lists(st.integers(0, 3) | ANYTHING, max_size=3), max_size=2)
TEXT = st.just("the soup was good")
ROWS = {
    "label-studio": st.fixed_dictionaries(
        {"data": perhaps(text=TEXT), "annotations": st.lists(ANNOTATION, max_size=2) | ANYTHING},
        optional={"completions": ANYTHING},
    ),
    "prodigy": st.fixed_dictionaries(
        {"text": ANYTHING | TEXT, "_task_hash": ANYTHING},
        optional={name: ANYTHING for name in ("answer", "accept", "label", "spans", "_input_hash")},
    ),
    "doccano": st.fixed_dictionaries(
        {"text": ANYTHING | TEXT},
        optional={"label": SPANS | ANYTHING, "labels": SPANS | ANYTHING, "entities": SPANS | ANYTHING},
    ),
}
GOOD = {
    "label-studio": lambda text, label: {
        "data": {"text": text},
        "annotations": [{"result": [{"type": "choices", "from_name": "label", "value": {"choices": [label]}}]}],
    },
    "prodigy": lambda text, label: {"text": text, "accept": [label], "_task_hash": 1, "answer": "accept"},
    "doccano": lambda text, label: {"text": text, "label": [label]},
}


@pytest.mark.parametrize("tool", sorted(ROWS))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_rows_of_any_types_are_no_failure(tool, data):
    odd = data.draw(st.lists(ROWS[tool], min_size=1, max_size=3))
    good = [GOOD[tool](f"soup number {n} was {label}", label) for n in range(8) for label in ("good", "bad")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.json"
        for rows in (odd, good + odd, odd + good):
            path.write_text(json.dumps(rows))
            try:
                found = hs.check(path)
            except UserError:
                continue
            assert len(found.dataset) + len({f.where for f in found.dataset.findings if f.rejected}) == len(rows)


@pytest.mark.parametrize("result", [["x"], 5, {"type": "choices"}, [None]])
def test_annotations_without_results_are_left_out(result, tmp_path):
    rows = [GOOD["label-studio"](f"soup number {n} was {label}", label) for n in range(8) for label in ("good", "bad")]
    odd = {"data": {"text": "no soup"}, "annotations": [{"result": result}]}
    (tmp_path / "rows.json").write_text(json.dumps([*rows, odd]))
    found = hs.check(tmp_path / "rows.json")
    assert len(found.dataset) == 16
    assert [(f.where, f.reason) for f in found.dataset.findings] == [
        ("rows.json row 17", "an annotation of it has no list of results, as Label Studio writes them")
    ]
    (tmp_path / "rows.json").write_text(json.dumps([odd] * 20))
    with pytest.raises(DataError, match="no list of results"):
        hs.check(tmp_path / "rows.json")
