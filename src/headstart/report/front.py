"""The YAML in front of a model card: what the Hub reads of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from headstart.backbone import Backbone
from headstart.pretrained.catalog import find
from headstart.report.general import measured
from headstart.report.markdown import quoted
from headstart.report.worth import too_high

if TYPE_CHECKING:
    from headstart.record import Record

# the Hub's own identifiers; any other licence is "other" with its name beside it
_LICENCES = {
    *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "gpl-3.0", "lgpl-3.0", "mpl-2.0", "unlicense", "unknown"),
    *("cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "openrail", "afl-3.0", "wtfpl"),
}
_METRICS = {  # the Hub's names of some of ours
    **dict.fromkeys(("macro_f1", "micro_f1"), "f1"),
    **{"r2": "r_squared", "pearson": "pearsonr", "spearman": "spearmanr"},
}
_TASKS = {  # and of tasks that are more to us than to it
    **dict.fromkeys(("text-pair-classification", "text-multilabel"), "text-classification"),
    "image-multilabel": "image-classification",
}
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def front(record: Record, backbone: Backbone, folder: str, *, pipeline: str) -> str:
    """The YAML between its two lines of dashes.

    Args:
        folder: the name of the saved folder.
        pipeline: of transformers, that gives the model's own answers; empty: none does, so the Hub is told of none.
    """
    return "\n".join(["---", *_lines(record, backbone, folder, pipeline), "---"])


def _lines(record: Record, backbone: Backbone, folder: str, pipeline: str) -> Iterator[str]:
    licence = backbone.licence.strip().lower() or "unknown"
    if licence in _LICENCES:
        yield f"license: {licence}"
    else:
        yield "license: other"
        yield f"license_name: {quoted(_slug(licence))}"
    yield "library_name: headstart"
    if pipeline:
        yield f"pipeline_tag: {pipeline}"
    if base := _on_the_hub(record.model):
        yield f"base_model: {quoted(base)}"
    yield from ("tags:", "- headstart", f"- {record.title}", f"- {quoted(record.method)}")
    if not record.n_test:
        return
    names = dict.fromkeys(_METRICS.get(metric.key, metric.key) for metric in measured(record))
    yield from ("metrics:", *(f"- {name}" for name in names))
    if not too_high([caution.kind for caution in record.cautions]):  # no figure to be compared with those of others
        yield from _results(record, folder)


def _results(record: Record, folder: str) -> Iterator[str]:
    """The model-index: each metric with its interval, which the Hub has no field for, in its name."""
    yield from ("model-index:", f"- name: {quoted(folder)}", "  results:")
    yield from ("  - task:", f"      type: {_TASKS.get(record.title, record.title)}")
    yield from ("    dataset:", f"      name: {quoted(record.data)}", f"      type: {quoted(_slug(record.data))}")
    yield from ("      split: test", "    metrics:")
    for metric in measured(record):
        value, ends = record.scores.values[metric.key], record.scores.intervals.get(metric.key)
        if value - value != 0:  # no number
            continue
        interval = f", 95 % interval {ends.low:.4g} to {ends.high:.4g}" if ends is not None and ends.known else ""
        yield f"    - type: {_METRICS.get(metric.key, metric.key)}"
        yield f"      value: {value!r}"
        yield f"      name: {quoted(metric.title + interval)}"


def _on_the_hub(model: str) -> str:
    """The Hub's name of a pre-trained model; empty where it is of a package, or of a folder of the user's."""
    known = find(model)
    if known is not None:
        return known.repo
    return model if _HUB_NAME.fullmatch(model) else ""


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.") or "data"
