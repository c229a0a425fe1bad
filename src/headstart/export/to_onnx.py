"""ONNX: one file from pixels or token ids to what is answered, for ONNX Runtime and all else that reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.encode.graphs import quiet
from headstart.errors import somebody_elses
from headstart.export.deployable import Deployable
from headstart.export.format import Format, Quantise, Runtime
from headstart.pretrained.source import SOURCES

if TYPE_CHECKING:
    import onnx
    from torch.export import ExportedProgram

FILE = "model.onnx"
_OPSET = 18
_CODE = f"""
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before it is imported: it reports what it runs to its makers
import onnxruntime  # noqa: E402

session = onnxruntime.InferenceSession(here / "{FILE}", providers=["CPUExecutionProvider"])


def run(given):
    return session.run(None, given)[0]
"""


def write(made: Deployable, folder: Path, quantise: Quantise) -> None:
    """Write model.onnx. Raises ModelError where it cannot be made."""
    import onnx

    from headstart.export import traced

    with somebody_elses("the exporter to ONNX", where=made.backbone.name), quiet():
        named = (*made.inputs, made.output)
        has_module = SOURCES[made.backbone.source].gpu
        model = quantise(_exported(traced.core(made), named) if has_module else _around_file(made))
        if made.takes_photos:
            model = _joined(_exported(traced.resize(made), (*made.inputs, "prepared")), model)
        _name_inputs(model, made.inputs)
        onnx.helper.set_model_props(model, {k: json.dumps(v, ensure_ascii=False) for k, v in made.facts.items()})
        onnx.checker.check_model(model, full_check=True)
    onnx.save(model, folder / FILE)


def _around_file(made: Deployable) -> onnx.ModelProto:
    """From what the backbone takes to what is answered, of a graph that came as ONNX: it is cut at its features."""
    import onnx

    from headstart.export import traced

    original = onnx.version_converter.convert_version(onnx.load(made.backbone.weights), _OPSET)
    given, features = original.graph.input[0].name, made.backbone.config["features"]
    body = onnx.utils.Extractor(original).extract_model([given], [features])
    before = _exported(traced.scaled(made), (*made.inputs, "scaled"))
    after = _exported(traced.tail(made), ("features", made.output))
    return _joined(_joined(before, body), after)


def _exported(program: ExportedProgram, names: tuple[str, ...]) -> onnx.ModelProto:
    """A program as ONNX; names: of its inputs, then of its output."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    *inputs, output = names
    with sdpa_kernel(SDPBackend.MATH):  # the processor's own kernel of attention orders memory as no graph can say
        made = torch.onnx.export(
            program, dynamo=True, opset_version=_OPSET, input_names=inputs, output_names=[output], verbose=False
        )
    if made is None:
        raise TypeError("torch made no program of ONNX")
    return made.model_proto


def _joined(first: onnx.ModelProto, second: onnx.ModelProto) -> onnx.ModelProto:
    """A graph that gives what the second one makes of what the first one gives."""
    import onnx

    first = onnx.compose.add_prefix(first, f"{first.graph.output[0].name}/")
    second.ir_version = first.ir_version = max(first.ir_version, second.ir_version)
    return onnx.compose.merge_models(first, second, io_map=[(first.graph.output[0].name, second.graph.input[0].name)])


def _name_inputs(model: onnx.ModelProto, names: tuple[str, ...]) -> None:
    for port, name in zip(model.graph.input, names, strict=True):
        for node in model.graph.node:
            node.input[:] = [name if given == port.name else given for given in node.input]
        port.name = name


ONNX = Format(
    name="onnx",
    title="ONNX",
    runtime=lambda made: Runtime(("import os",), _CODE, ("onnxruntime",)),
    write=write,
    needs=("onnx", "onnxscript", "onnxruntime"),
    quantises=True,
)
