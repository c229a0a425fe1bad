"""Rows as the tools have them with which people label: Label Studio, Prodigy and doccano."""

from __future__ import annotations

from typing import Any

from headstart.errors import DataError

Row = dict[str, Any]
_SPANS = "labels of spans within the text, and headstart learns labels of whole texts or images"
_DAMAGED = "an annotation of it has no list of results, as Label Studio writes them"
_COLUMNS = ("label", "labels", "entities", "spans")  # that hold them
_WHOLE = ("choices", "rating", "number", "taxonomy")  # of Label Studio's results, those about the whole


def as_plain_row(row: Row, where: str, *, label: str | None, need_label: bool) -> tuple[Row, str]:
    """The row with what it is labelled with in a column, and why it is not to be learned from; "": it is.

    Args:
        label: the column that the user named. need_label: whether the row is to be learned from at all.

    Raises:
        DataError: its labels are of spans or regions.
    """
    spans = need_label and label in (None, *_COLUMNS)  # which would be its labels
    if isinstance(row.get("data"), dict) and ("annotations" in row or "completions" in row):
        flat, why = _of_label_studio(row, where if spans else None, label)
        return flat, why if need_label else ""
    fix, told = "", row.get("label", row.get("labels"))
    if "_task_hash" in row or "_input_hash" in row:
        answer = row.get("answer")
        if need_label and answer in ("reject", "ignore"):
            other = "; of one label alone, write them as another: not LABEL" if answer == "reject" else ""
            return row, f"answered with {answer!r}, which is not that its label is true{other}"
        if isinstance(row.get("accept"), list):
            return {**row, "label": _one(row["accept"])}, ""
        if row.get("spans") and told is None:
            fix = "label whole texts: prodigy textcat.manual"
    elif isinstance(told, list) and told and all(map(_is_span, told)):
        fix = "label whole texts: doccano's text classification"
    elif told is None and isinstance(row.get("entities"), list) and isinstance(row.get("text"), str):
        fix = "name another column: --label COLUMN"
    if fix and spans:
        raise DataError(_SPANS, where=where, fix=fix)
    return row, ""


def _of_label_studio(row: Row, where: str | None, label: str | None) -> tuple[Row, str]:
    """The task's data and labels: those that are the truth, as it says, or of all its annotations; and where these
    disagree.

    Args:
        where: to call a task whose labels are of spans, which is refused; None: it is not, and they are left out.
    """
    given = row.get("annotations", row.get("completions"))
    annotations = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    annotations = [one for one in annotations if not one.get("was_cancelled") and not one.get("skipped")]
    flat, why = dict(row["data"]), ""
    for annotation in [one for one in annotations if one.get("ground_truth")] or annotations:
        results = annotation.get("result") or []
        if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
            why = _DAMAGED
            continue
        for result in results:
            kind, value = result.get("type"), result.get("value")
            if kind not in _WHOLE or not isinstance(value, dict):
                if kind in ("textarea", "pairwise", "relation") or where is None:
                    continue
                raise DataError(_SPANS, where=where, fix="export choices, or leave these tasks out")
            name, found = _name(result, row["data"]), value.get(kind)
            found = _one(found) if isinstance(found, list) else found
            first = flat.setdefault(name, found)
            if _in_any_order(first) != _in_any_order(found) and label in (None, name):
                why = f"annotations of it disagree: {first!r} and {found!r}"
    return flat, why


def _in_any_order(value: Any) -> Any:
    return sorted(map(str, value)) if isinstance(value, list) else value


def _name(result: Row, data: Row) -> str:
    """The name of a column of labels: that of the control, unless the data have it."""
    name = str(result.get("from_name") or "label")
    return name if name not in data else f"{name} label"


def _one(found: list[Any]) -> Any:
    """The only one of a list, or the list."""
    return found[0] if len(found) == 1 else found


def _is_span(label: Any) -> bool:
    if isinstance(label, dict):
        place = [label.get("start_offset", label.get("start"))]
    else:
        place = label[:2] if isinstance(label, list) else []
    return bool(place) and all(type(at) is int for at in place)
