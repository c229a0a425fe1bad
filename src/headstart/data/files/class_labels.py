"""What the numbers in columns of classes stand for, as `datasets` writes it into the files that it saves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headstart.storage.files import parse_json

_ABOUT = b"huggingface"


def names_in(metadata: Mapping[bytes, bytes] | None) -> dict[str, list[str]]:
    """The names of the classes of each column of a schema that has any."""
    try:
        told = parse_json((metadata or {}).get(_ABOUT, b"{}"))
        features = told["info"]["features"]
        return {str(name): names for name, feature in features.items() if (names := _names(feature))}
    except (ValueError, KeyError, TypeError, AttributeError):  # not as it writes it
        return {}


def called(value: Any, names: Sequence[str]) -> Any:
    """The name of a class; of several, as a set: lists of one length may be a row of 0 and 1 for each label."""
    if isinstance(value, list | tuple):
        return dict.fromkeys(called(each, names) for each in value).keys()  # a set that keeps its order
    return (names[value] if 0 <= value < len(names) else None) if isinstance(value, int) else value


def without_indicators(
    names: Mapping[str, list[str]], label: str | None, labels: Sequence[str], known: Sequence[str]
) -> dict[str, list[str]]:
    """Without columns of two classes, where there are several that are not called like the label: each is a label of
    its own, and stays 0 and 1.

    Args: label, labels: that the user names. known: what labels are called.
    """
    two = [n for n in names if len(names[n]) == 2 and n != label and n.strip().lower() not in known]
    out = {*(two if len(two) > 1 else ()), *labels}
    return {name: classes for name, classes in names.items() if name not in out}


def _names(feature: Any) -> list[str] | None:
    inner = feature[0] if isinstance(feature, list) else feature.get("feature", feature)
    names = inner.get("names")
    return names if isinstance(names, list) and names and all(isinstance(name, str) for name in names) else None
