"""A backbone's graph in int8, calibrated on examples: weights and activations of most operators in eight bits.

It pays where the processor has no bfloat16. Its features hold for the examples that it was calibrated on, so the graph
is kept in the cache under their hash, and their keys name that. A saved model does not need it: heads of int8 features
are as good on float32's (docs/precision.md).

Source: post-training quantisation of NNCF, https://github.com/openvinotoolkit/nncf.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from importlib.util import find_spec
from io import StringIO
from typing import Any

import numpy as np

from headstart.backbone import Backbone
from headstart.encode.graph_file import INT8, int8_file
from headstart.encode.kinds import BATCH, KINDS
from headstart.errors import OutputError, UserError, somebody_elses
from headstart.values import Dataset

MISSING = "int8 needs NNCF"
EXAMPLES = 100  # to calibrate on
_WORKERS = 2  # decoding threads


def refuse_int8(backbone: Backbone) -> None:
    """Raises UserError where a backbone cannot be calibrated."""
    if not KINDS[backbone.kind].calibrated:
        raise UserError("int8 is for photos", where="--precision", fix="--precision auto")
    if find_spec("nncf") is None:
        raise UserError(MISSING, where="--precision", fix="pip install 'headstart[int8]'")


def calibrated(backbone: Backbone, examples: Dataset) -> Backbone:
    """The backbone, whose features are made by its graph in int8, which is made and kept where it was not.

    Args:
        examples: checked photos like those that it will see, in any order but by class; the first 100 are run.

    Raises:
        UserError: they are too few. OutputError: the cache has no room for the graph.
    """
    if len(examples) < EXAMPLES:
        what = f"int8 is calibrated on {EXAMPLES} training photos, and there are {len(examples)}"
        raise UserError(what, where="--precision", fix="--precision auto")
    from headstart.encode import graphs  # OpenVINO, without its telemetry

    import nncf  # isort: skip

    digests = examples.checked_digests[:EXAMPLES]
    seen = hashlib.sha256(f"{nncf.__version__} {digests.tobytes().hex()}".encode()).hexdigest()[:16]
    found = replace(backbone, precision=f"{INT8}{seen}")
    file = int8_file(backbone, found.precision)
    if graphs.is_whole(file):
        return found
    batching = KINDS[backbone.kind].batching(examples.inputs, digests, backbone, BATCH, _WORKERS)
    batches = [batch[0] for _, batch in batching(np.arange(EXAMPLES)) if len(batch[0]) == BATCH]
    made = quantised(graphs.graph_of(backbone), batches, name=backbone.name)
    if not graphs.was_kept(made, file):
        raise OutputError("no room for the int8 graph", where=str(file.parent), fix="--precision auto")
    return found


def quantised(graph: Any, batches: Sequence[Any], *, name: str, transformer: bool = False) -> Any:
    """A graph of OpenVINO or ONNX in int8, calibrated on what it is given in these batches.

    Args:
        name: of the backbone. transformer: whether it is one, whose attention is left as it is where int8 harms it.

    Raises:
        ModelError: NNCF cannot.
    """
    from headstart.encode import graphs  # OpenVINO, without its telemetry

    import nncf  # isort: skip

    bars = StringIO()  # that NNCF draws
    with somebody_elses("NNCF", where=name), graphs.quiet(), redirect_stdout(bars), redirect_stderr(bars):
        return nncf.quantize(
            graph,
            nncf.Dataset(batches),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(batches),
            model_type=nncf.ModelType.TRANSFORMER if transformer else None,
        )
