"""OpenVINO IR: one graph, which OpenVINO runs in Python, C++, Java and Node.js, on Intel's and ARM's processors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.errors import OutputError, somebody_elses
from headstart.export.deployable import Deployable
from headstart.export.format import Format, Quantise, Runtime

if TYPE_CHECKING:
    import openvino as ov
    from torch import nn

_FILE = "model.xml"
_CODE = f"""
sys.modules["openvino_telemetry"] = None  # or openvino reports its uses to its makers
import openvino  # noqa: E402

model = openvino.compile_model(here / "{_FILE}", "CPU", {{"INFERENCE_PRECISION_HINT": "f32"}})


def run(given):
    return model(given)[0]
"""


def _write(made: Deployable, folder: Path, quantise: Quantise) -> None:
    """Raises ModelError where OpenVINO cannot make the graph, OutputError where it cannot write it."""
    import headstart.no_telemetry  # noqa: F401, I001 - before OpenVINO
    import openvino as ov

    with somebody_elses("OpenVINO", where=made.backbone.name):
        graph = quantise(_named(_core(made), made))
        if made.takes_photos:
            resize = _converted(made.resize(), made.photos_example(), [[-1, -1, -1, 3]])
            graph = _named(_joined(resize, graph), made)
        for name, value in made.facts.items():
            graph.set_rt_info(json.dumps(value, ensure_ascii=False), ["headstart", name])
    try:
        ov.save_model(graph, folder / _FILE, compress_to_fp16=False)
    except RuntimeError as error:
        raise OutputError("OpenVINO cannot write it", where=str(folder), fix="free some space") from error


def _core(made: Deployable) -> ov.Model:
    """From what the backbone takes to what is answered, any number of inputs at once."""
    import torch

    from headstart.encode.graphs import graph_of

    graph, width = graph_of(made.backbone), made.backbone.width
    graph.reshape({port: [-1, *list(port.partial_shape)[1:]] for port in graph.inputs})
    example = torch.zeros(2, width), torch.ones((2, 8), dtype=torch.int64)
    tail = _converted(made.tail(), example, [[-1, width], [-1, -1]])
    for target in tail.inputs[1].get_target_inputs():  # the mask, where the tail looks at it
        target.replace_source_output(graph.inputs[1])
    return _joined(graph, tail)


def _converted(module: nn.Module, example: tuple[Any, ...], shapes: list[list[int]]) -> ov.Model:
    import openvino as ov
    import torch

    from headstart.encode.graphs import quiet

    with torch.inference_mode(), quiet():
        traced = torch.jit.trace(module.eval(), example, check_trace=False)
        return ov.convert_model(traced, example_input=example, input=shapes)


def _joined(first: ov.Model, second: ov.Model) -> ov.Model:
    """A graph that gives what the second one makes of what the first one gives."""
    import openvino as ov

    given = first.get_results()[0].input_value(0)
    for target in second.inputs[0].get_target_inputs():
        target.replace_source_output(given)
    return ov.Model(second.get_results(), first.get_parameters(), "headstart")


def _named(graph: ov.Model, made: Deployable) -> ov.Model:
    for port, name in zip((*graph.inputs, *graph.outputs), (*made.inputs, made.output), strict=True):
        port.set_names({name})
    return graph


OPENVINO = Format(
    name="openvino",
    title="OpenVINO IR",
    runtime=lambda made: Runtime((), _CODE, ("openvino",)),
    write=_write,
    quantises=True,
)
