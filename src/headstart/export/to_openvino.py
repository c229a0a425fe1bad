"""OpenVINO IR: backbone, head and calibration in one graph, which OpenVINO runs in Python, C++ and many other places.

Images go in as (n, h, w, 3) uint8, texts as token ids with their mask; probabilities or numbers come out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from headstart.errors import OutputError, somebody_elses
from headstart.export.exporter import Deployable, Exporter, Run

if TYPE_CHECKING:
    import openvino as ov


def run_images(folder: str) -> Callable[[Any], np.ndarray]:
    """An image as Pillow opens it -> (n_outputs,). The README has this very code, so it uses nothing of ours."""
    import json
    import math
    from pathlib import Path

    import numpy as np
    import openvino as ov
    from PIL import Image, ImageOps

    told = json.loads(Path(folder, "model.json").read_text(encoding="utf-8"))["preparation"]
    graph = ov.Core().compile_model(Path(folder, "model.xml"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    size = told["size"][0]  # of a square
    side = math.floor(size / told["crop"])

    def predict(image: Image.Image) -> np.ndarray:
        draft = [math.ceil(2 * side / min(image.size) * length) for length in image.size]
        image.draft("RGB", (draft[0], draft[1]))  # large JPEGs are decoded at a part of their size
        image = ImageOps.exif_transpose(image).convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
        short = [min(image.size)] * 2 if told["crop_mode"] == "center" else image.size
        width, height = (int(side * length / by) for length, by in zip(image.size, short, strict=True))
        left, top = round((width - size) / 2), round((height - size) / 2)
        x, y = image.width / width, image.height / height
        box = (left * x, top * y, (left + size) * x, (top + size) * y)
        cut = image.resize((size, size), Image.Resampling[told["interpolation"].upper()], box=box)
        return np.asarray(graph(np.asarray(cut)[None])[0][0])

    return predict


def run_texts(folder: str) -> Callable[[str], np.ndarray]:
    """A text -> (n_outputs,). The README has this very code, so it uses nothing of ours."""
    import json
    from pathlib import Path

    import numpy as np
    import openvino as ov
    from tokenizers import Tokenizer

    told = json.loads(Path(folder, "model.json").read_text(encoding="utf-8"))["preparation"]
    graph = ov.Core().compile_model(Path(folder, "model.xml"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    tokenizer = Tokenizer.from_file(str(Path(folder, "tokenizer.json")))
    tokenizer.no_padding()
    tokenizer.enable_truncation(told["max_length"])

    def predict(text: str) -> np.ndarray:
        ids = np.array([tokenizer.encode(told.get("prefix", "") + text).ids])
        return np.asarray(graph([ids, np.ones_like(ids)])[0][0])

    return predict


@dataclass(frozen=True)
class _Kind:
    """What runs the graph of a backbone that takes images, or texts."""

    run: Callable[[str], Run]
    given: Callable[[Any], Any]  # an input of a dataset, as `run` takes it
    used: str  # how the README calls it
    refuse: Callable[[Deployable], str | None]


def _picture(given: Any) -> Image.Image:
    if isinstance(given, Image.Image):
        return given.copy()
    return Image.fromarray(given) if isinstance(given, np.ndarray) else Image.open(given)


def _refuse_images(made: Deployable) -> str | None:
    cut = made.backbone.images
    if cut.size[0] != cut.size[1] or cut.crop > 1 or cut.crop_mode == "border":
        return f"its images are cut in a way that the exported code does not know ({cut.crop_mode}, {cut.size})"
    return None


_PILLOW = "from PIL import Image\n\n"
_KINDS = {
    "image": _Kind(run_images, _picture, f'{_PILLOW}print(run_images(".")(Image.open("photo.jpg")))', _refuse_images),
    "text": _Kind(run_texts, str, 'print(run_texts(".")("a text"))', lambda made: None),
}
_LINKS = ("softmax", "logistic", "identity")


def _refuse(made: Deployable) -> str | None:
    family = made.task.learner.family
    if family is None:
        return f"a model for {made.task.name} is more than a backbone with a linear head"
    if family.link not in _LINKS:
        return f"its outputs are made by {family.link}, which the exported graph does not know"
    if made.modality.of_two:
        return f"it takes two texts at once, and the exported code prepares one {made.backbone.kind}"
    return _KINDS[made.backbone.kind].refuse(made)


def _write(made: Deployable, folder: Path) -> None:
    """Raises ModelError where OpenVINO cannot make the graph, OutputError where it cannot write it."""
    import headstart.no_telemetry  # noqa: F401, I001 - before OpenVINO
    import openvino as ov

    graph = _graph(made)
    try:
        ov.save_model(graph, folder / "model.xml", compress_to_fp16=False)
    except RuntimeError as error:
        raise OutputError("OpenVINO cannot write it", where=str(folder), fix="free some space") from error


def _graph(made: Deployable) -> ov.Model:
    """From inputs to probabilities or numbers, for any number of inputs at once."""
    from openvino import Model, opset13

    from headstart.encode.graphs import graph_of

    head, graph = made.head, graph_of(made.backbone)
    links: dict[str, Callable[[Any], Any]] = {
        "softmax": lambda outputs: opset13.softmax(outputs, axis=1),
        "logistic": opset13.sigmoid,
        "identity": lambda outputs: outputs,
    }
    with somebody_elses("OpenVINO", where=made.backbone.name):
        graph.reshape({given: [-1, *list(given.partial_shape)[1:]] for given in graph.inputs})
        features = opset13.reshape(
            graph.get_results()[0].input_value(0), np.array([-1, made.backbone.width]), special_zero=False
        )
        weighted = opset13.matmul(features, head.weight.astype(np.float32), False, True)
        outputs = links[made.task.learner.family.link](opset13.add(weighted, head.bias.astype(np.float32)))
        return Model([outputs], graph.get_parameters(), "headstart")


def _opened(made: Deployable, folder: Path) -> Run:
    kind = _KINDS[made.backbone.kind]
    predict = kind.run(str(folder))
    return lambda given: predict(kind.given(given))


def _snippet(made: Deployable) -> str:
    kind = _KINDS[made.backbone.kind]
    return f"from __future__ import annotations\n\n\n{inspect.getsource(kind.run)}\n\n{kind.used}  # in this folder"


OPENVINO = Exporter(
    name="openvino",
    title="OpenVINO IR",
    refuse=_refuse,
    write=_write,
    opened=_opened,
    snippet=_snippet,
)
