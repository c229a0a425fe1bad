"""A backbone's graph in int8, calibrated on examples: weights and activations of most operators in eight bits.

It pays where the processor has no bfloat16. Its features hold for the examples that it was calibrated on, so the graph
is kept in the cache under their hash, and their keys name that. A saved model does not need it: heads of int8 features
are as good on float32's (docs/features.md).

Source: post-training quantisation of NNCF, https://github.com/openvinotoolkit/nncf.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from headstart.backbone import Backbone
from headstart.encode.graph_file import graph_file
from headstart.encode.kinds import KINDS, Batch
from headstart.errors import OutputError, UserError, somebody_elses
from headstart.storage.files import is_there

EXAMPLES = 100  # to calibrate on
_PREFIX = "i8-"  # of the precision, in keys


def refuse_int8(backbone: Backbone) -> None:
    """Raises UserError where a backbone cannot be calibrated."""
    if backbone.kind != "image":
        raise UserError("int8 is for photos", where="--precision", fix="--precision auto")
    if find_spec("nncf") is None:
        raise UserError("int8 needs NNCF", where="--precision", fix="pip install 'headstart[int8]'")


def is_int8(precision: str) -> bool:
    return precision.startswith(_PREFIX)


def int8_file(backbone: Backbone, precision: str) -> Path:
    """Where the graph of this precision, as keys have it, is kept."""
    return graph_file(backbone).with_suffix(f".{precision}.xml")


def known_int8(backbone: Backbone) -> str | None:
    """The precision of the graph that was calibrated here last; None: none was."""
    kept = sorted(graph_file(backbone).parent.glob(f"{graph_file(backbone).stem}.{_PREFIX}*.xml"))
    whole = [file for file in kept if is_there(file.with_suffix(".bin"))]
    return max(whole, key=lambda file: file.stat().st_mtime).suffixes[-2][1:] if whole else None


def calibrate(backbone: Backbone, sample: list[tuple[np.ndarray, Batch]]) -> str:
    """Make and keep the graph; its precision, as keys have it.

    Raises:
        OutputError: the cache has no room for it.
    """
    from headstart.encode import graphs  # OpenVINO, without its telemetry

    import nncf  # isort: skip

    filled = KINDS[backbone.kind].filled
    batches = [filled(batch)[0] for _, batch in sample]
    seen = hashlib.sha256(nncf.__version__.encode())
    for batch in batches:
        seen.update(batch.tobytes())
    precision = f"{_PREFIX}{seen.hexdigest()[:16]}"
    with somebody_elses("NNCF", where=backbone.name), _quiet():
        made = nncf.quantize(
            graphs.graph_of(backbone),
            nncf.Dataset(batches),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(batches),
        )
    if not graphs.was_kept(made, int8_file(backbone, precision)):
        raise OutputError("no room for the int8 graph", where=str(graph_file(backbone).parent), fix="--precision auto")
    return precision


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """NNCF draws bars and logs what it does."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(disabled)
