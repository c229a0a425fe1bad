"""Small models in every form that --model takes, and folders that `fit` saved, to start from."""

from __future__ import annotations

import io
import json
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import doors
import fuzz_bytes
import fuzz_photos
import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # small_models, which the tests have too

Seed = dict[str, bytes]  # files by name; a folder's, or one file with what lies beside it

_VGG16 = [f"block{b}_conv{c}" for b, n in enumerate((2, 2, 3, 3, 3), start=1) for c in range(1, n + 1)]
_SENTENCES: dict[str, Any] = {
    "modules.json": [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ],
    "sentence_bert_config.json": {"max_seq_length": 32, "do_lower_case": False},
    "1_Pooling/config.json": {"word_embedding_dimension": 32, "pooling_mode_cls_token": True},
}


def _timm(work: Path) -> list[Seed]:
    return [_image_model(work, name) for name in ("vit_tiny_patch16_224", "test_efficientnet")]


def _image_model(work: Path, architecture: str) -> Seed:
    from small_models import small_image_model

    small_image_model(architecture, work / architecture)
    return folder(work / architecture)


def _texts(work: Path) -> list[Seed]:
    from small_models import small_text_model

    found = []
    for name in ("bert", "distilbert", "roberta"):
        small_text_model(name, work / name)
        found.append(folder(work / name))
    found[0] |= {name: json.dumps(content, indent=2).encode() for name, content in _SENTENCES.items()}
    return [*found, _as_torch(found[1])]


def _as_torch(seed: Seed) -> Seed:
    """With pytorch_model.bin in the place of the safetensors file."""
    import torch
    from safetensors.torch import load

    out = io.BytesIO()
    torch.save(load(seed["model.safetensors"]), out)
    return {
        **{name: body for name, body in seed.items() if name != "model.safetensors"},
        "pytorch_model.bin": out.getvalue(),
    }


def _readers(work: Path) -> list[Seed]:
    from small_models import small_reading_model

    found = []
    for name in ("bert", "roberta"):
        small_reading_model(name, work / name)
        found.append(folder(work / name))
    return found


def _test_vit() -> dict[str, Any]:
    import torch

    timm, _ = doors.libraries()
    torch.manual_seed(0)
    return dict(timm.create_model("test_vit", pretrained=False, num_classes=3).state_dict())


def _safetensors(work: Path) -> list[Seed]:
    from safetensors.torch import save

    return [{"weights.safetensors": save(_test_vit())}]


def _pth(work: Path) -> list[Seed]:
    """timm's own names, and a torchvision model whose tensors are too small to be one."""
    import torch

    _, torchvision = doors.libraries()
    with torch.device("meta"):
        names = list(torchvision.models.mobilenet_v2(weights=None).state_dict())
    found = []
    for state, options in ((_test_vit(), {}), (dict.fromkeys(names, torch.zeros(2)), {}), (_few(), _OLD)):
        out = io.BytesIO()
        torch.save(state, out, **options)
        found.append({"weights.pth": out.getvalue()})
    return found


_OLD = {"_use_new_zipfile_serialization": False}


def _few() -> dict[str, Any]:
    import torch

    return {"features.0.0.weight": torch.zeros(2, 2), "fc.weight": torch.ones(3, dtype=torch.bfloat16)}


def _h5(work: Path) -> list[Seed]:
    """Arrays that are too small under the names of VGG16's layers, in the three layouts; links; and a ResNet50's."""
    from h5py import ExternalLink, File

    zeros: dict[str, Any] = {"kernel:0": np.zeros((1, 1, 1, 1), "f4"), "bias:0": np.zeros(1, "f4")}
    wrong = {**zeros, "bias:0": np.zeros((1, 1), "f4")}  # in the last layer: refused before a network is built
    norms = {name: np.zeros(1, "f4") for name in ("gamma:0", "beta:0", "mean:0", "variance:0")}
    vgg: dict[str, Any] = dict.fromkeys(_VGG16, zeros) | {_VGG16[-1]: wrong}
    resnet: dict[str, Any] = {name: norms if name.endswith("_bn") else zeros for name in _resnet50()}
    found = []
    for number, layers in enumerate((vgg, vgg, vgg, vgg, resnet)):
        path = work / f"{number}.h5"
        with File(path, "w", libver="latest" if number == 2 else "earliest") as file:
            top = file.create_group("model_weights") if number == 1 else file
            if number != 2:
                top.attrs["layer_names"] = [name.encode() for name in layers]
            for name, arrays in layers.items():
                group = top.create_group(f"layers/{name}/vars" if number == 2 else name)
                group.attrs["name"] = name
                group.attrs["weight_names"] = [weight.encode() for weight in arrays]
                for place, (weight, array) in enumerate(arrays.items()):
                    group[str(place) if number == 2 else weight] = array
                if number == 3:
                    del group["bias:0"]
                    group["bias:0"] = ExternalLink("../../canary/secret", "/x")
        found.append({"weights.h5": path.read_bytes()})
    return found


def _resnet50() -> list[str]:
    blocks = [(stage, block) for stage, n in enumerate((3, 4, 6, 3), start=2) for block in range(1, n + 1)]
    parts = ("conv", "bn")
    names = [f"conv{s}_block{b}_{i}_{part}" for s, b in blocks for i in range(b > 1, 4) for part in parts]
    return [f"conv1_{part}" for part in parts] + names


_PREPARED = {"input_size": [3, 8, 8], "mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic"}
_PREPARED |= {"crop_pct": 1.0, "crop_mode": "center"}


def _onnx(work: Path) -> list[Seed]:
    """Eight by eight pixels, a mean over them, a linear layer; beside it what says how images are prepared."""
    other = {"do_resize": True, "size": {"shortest_edge": 9}, "resample": 3, "do_center_crop": True, "crop_size": 8}
    other |= {"do_normalize": True, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.3]}
    graph = _graph()
    return [
        {"model.onnx": graph, "config.json": json.dumps({"pretrained_cfg": _PREPARED}).encode()},
        {"model.onnx": graph, "preprocessor_config.json": json.dumps(other).encode()},
    ]


def _graph() -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    sizes = {"kernel": (6, 3, 3, 3), "weight": (3, 6), "bias": (3,)}
    weights = [numpy_helper.from_array(rng.normal(size=size).astype("f4"), name) for name, size in sizes.items()]
    nodes = [
        helper.make_node("Conv", ["pixels", "kernel"], ["conv"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["conv"], ["relu"]),
        helper.make_node("GlobalAveragePool", ["relu"], ["pool"]),
        helper.make_node("Flatten", ["pool"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weight", "bias"], ["logits"], transB=1),
    ]
    takes = [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, 8, 8])]
    gives = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])]
    graph = helper.make_graph(nodes, "g", takes, gives, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def changed_graph(rng: random.Random, content: bytes) -> tuple[bytes, str]:
    """An ONNX file that is one still, with some of its fields changed; now and then with weights in another file."""
    import onnx

    try:
        model = onnx.load_from_string(content)
    except Exception:  # changed before, and no graph any more
        return fuzz_bytes.mutated(rng, content, [])
    told = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        if model.graph.node and model.graph.initializer:
            told.append(rng.choice((_tensor, _outside, _node, _sizes))(rng, model))
    return bytes(model.SerializeToString()), ", ".join(told)


def _tensor(rng: random.Random, model: Any) -> str:
    tensor, what = rng.choice(model.graph.initializer), rng.randrange(3)
    if what == 0:
        tensor.dims[:] = rng.choice(([], [0], [-1], [2**40, 2**40], [3, 6, 1], list(tensor.dims)[::-1]))
    elif what == 1:
        tensor.data_type = rng.choice((0, 2, 7, 8, 10, 16, 23, 99))
    else:
        tensor.raw_data = tensor.raw_data[: rng.randrange(len(tensor.raw_data) + 1)] or b"x"
    return f"{tensor.name} of shape {list(tensor.dims)}, type {tensor.data_type}, {len(tensor.raw_data)} bytes"


def _outside(rng: random.Random, model: Any) -> str:
    """A tensor whose values are said to lie in another file."""
    tensor = rng.choice(model.graph.initializer)
    place = rng.choice(
        ("../../canary/secret", "/dev/zero", "/etc/passwd", "config.json", "", "nothing", ".", "model.onnx")
    )
    tensor.data_location, tensor.raw_data = 1, b""
    for key, value in (("location", place), ("offset", rng.choice(("0", "-1", "99999999999"))), ("length", "24")):
        tensor.external_data.add(key=key, value=value)
    return f"{tensor.name} in {place!r}"


def _node(rng: random.Random, model: Any) -> str:
    node, what = rng.choice(model.graph.node), rng.randrange(4)
    if what == 0:
        kinds = ("Gemm", "MatMul", "Loop", "If", "Softmax", "", "x" * 300, "Add", "Reshape", "Conv", "Slice")
        node.op_type = rng.choice(kinds)
        return f"operator {node.op_type[:20]!r}"
    if what == 1 and node.input:
        node.input[rng.randrange(len(node.input))] = rng.choice(("", "pixels", "nothing", "logits", "weight"))
        return f"inputs {list(node.input)}"
    if what == 2:
        model.graph.node.append(node)
        return f"{node.op_type} twice"
    model.graph.node.remove(node)
    return f"without {node.op_type}"


def _sizes(rng: random.Random, model: Any) -> str:
    shape = rng.choice((model.graph.input[0], model.graph.output[0])).type.tensor_type.shape
    if rng.random() < 0.3 or not shape.dim:
        model.opset_import[0].version = rng.choice((0, 1, 7, 22, 99, -1, 2**40))
        return f"opset {model.opset_import[0].version}"
    rng.choice(shape.dim).dim_value = rng.choice((0, -1, 1, 4, 224, 2**40))
    return "another size of input or output"


def _saved_photos(work: Path) -> list[Seed]:
    from small_models import small_image_model

    small_image_model("vit_tiny_patch16_224", work / "vit")
    (work / "onnx").mkdir()
    for name, body in _onnx(work)[0].items():
        (work / "onnx" / name).write_bytes(body)
    return [
        _fitted(work, _photos(work), str(work / "vit"), "a"),
        _fitted(work, work / "photos", str(work / "onnx" / "model.onnx"), "b"),
    ]


def _photos(work: Path) -> Path:
    for number, photo in enumerate(fuzz_photos.few(12)):
        path = work / "photos" / ("roses", "tulips")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo)
    return work / "photos"


def _fitted(work: Path, data: Path, model: str, name: str) -> Seed:
    doors.fit_photos(data, model, work / name)
    return folder(work / name)


def _saved_texts(work: Path) -> list[Seed]:
    from small_models import small_text_model

    small_text_model("bert", work / "bert")
    words = ("where is my card {}", "the rate is new {}", "i lost it, the pin {}")
    rows = [f'"{words[i % 3].format("?" * (i // 3))} x{i}",{"abc"[i % 3]}\n' for i in range(24)]
    (work / "t.csv").write_text("text,label\n" + "".join(rows))
    return [_fitted(work, work / "t.csv", str(work / "bert"), "saved")]


def _saved_reader(work: Path) -> list[Seed]:
    from small_models import QUESTION, model_that_finds_years, text_with_a_year

    (work / "years").mkdir()
    model_that_finds_years(work / "years")
    rng = random.Random(0)
    made = [text_with_a_year(rng, 12) for _ in range(20)]
    rows = [{"context": text, "question": QUESTION, "answer": answers[0][0]} for text, answers in made]
    (work / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    doors.fit_questions(work / "q.jsonl", str(work / "years"), work / "saved")
    return [folder(work / "saved")]


def folder(path: Path) -> Seed:
    """Every file below a folder by its name."""
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


FORMS: dict[str, Callable[[Path], list[Seed]]] = {  # target -> what makes its seeds
    "timm-folder": _timm,
    "text-folder": _texts,
    "reader-folder": _readers,
    "safetensors": _safetensors,
    "pth": _pth,
    "h5": _h5,
    "onnx": _onnx,
    "saved-photos": _saved_photos,
    "saved-texts": _saved_texts,
    "saved-reader": _saved_reader,
}


def seeds(target: str, work: Path) -> list[Seed]:
    """The models that a target starts from, made in the folder `work`, which is gone afterwards."""
    work.mkdir(parents=True)
    try:
        return FORMS[target](work)
    finally:
        shutil.rmtree(work)
