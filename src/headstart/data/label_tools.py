"""Rows as the tools have them with which people label: Label Studio, Prodigy and doccano."""

from __future__ import annotations

from typing import Any

from headstart.errors import DataError

Row = dict[str, Any]
_SPANS = "labels of spans within the text, and headstart learns labels of whole texts or images"
_WHOLE = ("choices", "rating", "number", "taxonomy")  # of Label Studio's results, those about the whole


def as_plain_row(row: Row, where: str) -> tuple[Row, str]:
    """The row with what it is labelled with in a column, and why it is not to be learned from; "": it is.

    Raises:
        DataError: its labels are of spans or regions.
    """
    if isinstance(row.get("data"), dict) and ("annotations" in row or "completions" in row):
        return _of_label_studio(row, where), ""
    label = row.get("label", row.get("labels"))
    if "_task_hash" in row or "_input_hash" in row:
        answer = row.get("answer")
        if answer in ("reject", "ignore"):
            other = "; of one label alone, write them as another: not LABEL" if answer == "reject" else ""
            return row, f"answered with {answer!r}, which is not that its label is true{other}"
        if isinstance(row.get("accept"), list):
            return {**row, "label": _one(row["accept"])}, ""
        if row.get("spans") and label is None:
            raise DataError(_SPANS, where=where, fix="label whole texts: prodigy textcat.manual")
    elif isinstance(label, list) and label and all(map(_is_span, label)):
        raise DataError(_SPANS, where=where, fix="label whole texts: doccano's text classification")
    elif label is None and isinstance(row.get("entities"), list) and isinstance(row.get("text"), str):
        raise DataError(_SPANS, where=where, fix="name another column: --label COLUMN")
    return row, ""


def _of_label_studio(row: Row, where: str) -> Row:
    annotations = row.get("annotations", row.get("completions"))
    flat = dict(row["data"])
    for annotation in annotations if isinstance(annotations, list) else ():
        if not isinstance(annotation, dict) or annotation.get("was_cancelled") or annotation.get("skipped"):
            continue
        for result in annotation.get("result") or ():
            kind, value = result.get("type"), result.get("value")
            if kind not in _WHOLE or not isinstance(value, dict):
                if kind in ("textarea", "pairwise", "relation"):
                    continue
                raise DataError(_SPANS, where=where, fix="export choices, or leave these tasks out")
            found = value.get(kind)
            flat.setdefault(_name(result, row["data"]), _one(found) if isinstance(found, list) else found)
    return flat


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
