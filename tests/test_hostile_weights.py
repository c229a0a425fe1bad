"""Weights files of strangers: damaged, too large for what they hold, or pointing at other files."""

from __future__ import annotations

import ast
import json
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

import headstart as hs
from headstart.backbone import Backbone, ImagePreparation
from headstart.encode.encode import encode
from headstart.errors import ModelError
from headstart.pretrained import from_keras
from headstart.pretrained.foreign_files import copy_regular
from headstart.pretrained.load import load, load_reader
from headstart.pretrained.onnx_file import refuse_other_files
from headstart.pretrained.plain_code import CLASSES, onnx_code
from headstart.pretrained.weights import file_sha256, open_torch_file, raw_tensors
from headstart.storage import files, manifest
from hostile import TEXTS, changed, digests


def safetensors(path: Path, header: Any, body: bytes = b"") -> Path:
    content = json.dumps(header).encode() if not isinstance(header, bytes) else header
    path.write_bytes(len(content).to_bytes(8, "little") + content + body)
    return path


def entry(dtype: Any = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 100_000,
        {"a": None},
        {"a": entry(offsets=[0, 9])},
        {"a": entry(offsets=[8, 0])},
        {"a": entry(offsets=[-8, 0])},
        {"a": entry(offsets=[0, 2**70])},
        {"a": entry(offsets=[0])},
        {"a": entry(shape=[2**40])},
        {"a": entry(shape=[-2])},
        {"a": entry(shape=[True, 2])},
        {"a": entry(shape=[1] * 1000)},
        {"a": entry(dtype="PICKLE")},
        {"a": entry(dtype=["F32"])},
        {"a": entry(dtype="F64")},
        {"a": entry(), "b": entry()},  # the same bytes twice
        {"\ud800": entry()},  # half a character
        {"a": entry(shape=[1], offsets=[4, 8])},  # a hole in front
        {},  # bytes of nobody
    ],
    ids=lambda header: str(header)[:50],
)
def test_a_header_that_does_not_fit_its_file_is_refused(header, tmp_path):
    with pytest.raises(ModelError, match="not a whole safetensors file") as error:
        raw_tensors(safetensors(tmp_path / "model.safetensors", header, bytes(8)))
    assert str(error.value).count("\n") == 0


@settings(max_examples=300)
@given(data=st.data())
def test_changed_bytes_of_a_safetensors_file_are_refused_or_harmless(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "model.safetensors"
    save_file({"a": torch.zeros(2), "b": torch.ones(1, 2, dtype=torch.bfloat16)}, path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    try:
        found = raw_tensors(path)
    except ModelError:
        return
    assert sum(len(tensor.data) for tensor in found.values()) <= len(content)


def zeros(folder: Path, change: Any) -> Path:
    tensors = {name: change(name, tensor) for name, tensor in load_file(folder / "model.safetensors").items()}
    kept = {name: tensor.contiguous() for name, tensor in tensors.items() if tensor is not None}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda n, t: None if "layer.1.output.dense.bias" in n else t, "1 of 55 tensors are missing, first 'encoder"),
        (lambda n, t: t[:3] if "layer.1.output.dense.bias" in n else t, "1 of 55 tensors have another shape"),
        (lambda n, t: None, "55 of 55 tensors are missing|53 of 55 tensors are missing"),
        (lambda n, t: (10 * t).long(), "is of type I64"),
        (lambda n, t: t > 0, "is of type BOOL"),
        (lambda n, t: t.to(torch.float8_e4m3fn), "is of type F8_E4M3"),
    ],
    ids=["one missing", "another shape", "none", "whole numbers", "booleans", "quantised"],
)
def test_weights_that_are_not_the_models_are_no_random_numbers(change, said, made, tmp_path, own_cache):
    folder = zeros(changed(made.folder / "bert", tmp_path / "model"), change)
    with pytest.raises(ModelError, match=f"these weights are not the model's: .*({said})") as error:
        load(str(folder), kind="text").module()
    assert str(error.value).count("\n") <= 1


def test_a_head_that_was_changed_is_noticed(made, tmp_path, own_cache):
    """One bit of it, or all of it turned round; folders that were saved before heads had a hash open as ever."""
    for kind, file in (("image", "model.safetensors"), ("text", "head.safetensors")):
        folder = changed(made.folder / kind, tmp_path / kind)
        tensors = load_file(folder / file)
        name = next(name for name in tensors if name.endswith("head.bias") or name == "bias")
        save_file({**tensors, name: torch.nextafter(tensors[name], torch.tensor(9.0))}, folder / file)
        with pytest.raises(ModelError, match="the head is not the one that was saved"):
            hs.load(folder)
        told = json.loads((folder / "headstart.json").read_text())
        del told["head"]["hash"]
        (folder / "headstart.json").write_text(json.dumps(told))
        hs.load(folder)


def test_a_name_in_a_graph_is_no_code_in_the_model_card():
    name = 'q" in out.names or __import__("os").system("touch owned") or "features\n```\n# a title'
    preparation = ImagePreparation((8, 8), 1.0, "bilinear", (0.5,) * 3, (0.5,) * 3)
    backbone = Backbone("m", "onnx", "", "image", 4, preparation, "", Path("m"), {"features": name}, "MIT", dict)
    tree = ast.parse(onnx_code(backbone, 'model"\n', CLASSES))
    assert name in {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert "```" not in [line[:3] for line in onnx_code(backbone, "model", CLASSES).splitlines()]
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "__import__"]


def test_image_weights_in_a_text_model_end_the_fit(made, tmp_path, own_cache, command):
    folder = changed(made.folder / "bert", tmp_path / "model")
    (folder / "model.safetensors").write_bytes((made.folder / "vit" / "model.safetensors").read_bytes())
    table = tmp_path / "texts.csv"
    table.write_text("text,label\n" + "".join(f"{TEXTS[i % 4]} number {i},{i % 2}\n" for i in range(20)))
    code, _, err = command("fit", table, "--model", folder, "--how", "probe", "--out", tmp_path / "out")
    assert code == 2
    assert "these weights are not the model's: 53 of 55 tensors are missing" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("part", ["head", "pooler"])
def test_a_head_may_be_missing_only_where_nothing_comes_through_it(part, made, tmp_path, own_cache):
    left_out = "classifier" if part == "head" else "bert.pooler"
    folder = zeros(
        changed(made.folder / "bert", tmp_path / "model"), lambda n, t: None if n.startswith(left_out) else t
    )
    load(str(folder), kind="text").module()  # means of its layers
    load_reader(str(folder), new_head=True).module()
    with pytest.raises(ModelError, match="these weights are not the model's: 2 of 57 tensors are missing"):
        hs.load(folder).predict_proba(TEXTS)


def test_numbers_that_are_none_are_no_features(made, tmp_path, own_cache):
    folder = zeros(changed(made.folder / "bert", tmp_path / "model"), lambda n, t: t * torch.nan)
    with pytest.raises(ModelError, match="it gives features that are not numbers"):
        encode(TEXTS, digests(TEXTS), load(str(folder), kind="text"))


def test_a_model_of_timms_gets_only_known_arguments(made, tmp_path, own_cache):
    def config(**changes: Any) -> Path:
        return changed(made.folder / "vit", tmp_path / "vit", config=changes)

    given = json.loads((made.folder / "vit" / "config.json").read_text())
    for extra, said in (
        ({"checkpoint_path": "evil.pth"}, "model_args has 'checkpoint_path'"),
        ({"pretrained": True}, "model_args has 'pretrained'"),
        ({"norm_layer": "torch.nn.LayerNorm"}, "model_args.norm_layer"),
        ({"embed_dim": 10**6}, r"model_args.embed_dim\w* is 1000000"),
        ({"depth": 10**4}, "model_args.depth"),
        ({"embed_dim": 49}, "timm cannot use it|do not fit"),
        ({"embed_dim": 60_000}, "do not fit"),
        ({"global_pool": "x"}, "timm cannot use it"),
        ({"in_chans": 1}, "model_args.in_chans is 1, not one of 3"),
    ):
        with pytest.raises(ModelError, match=said):
            load(str(config(model_args={**given["model_args"], **extra})), kind="image")
    for changes in ({"architecture": "hf-hub:somebody/model"}, {"architecture": "local-dir:."}, {"architecture": 5}):
        with pytest.raises(ModelError, match="not a name of an architecture"):
            load(str(config(**changes)), kind="image")
    with pytest.raises(ModelError, match="timm has no architecture 'resnet_9'"):
        load(str(config(architecture="resnet_9")), kind="image")
    theirs = {
        **given["pretrained_cfg"],
        "file": "evil.pth",
        "custom_load": True,
        "url": "http://evil",
        "state_dict": {},
    }
    kept = load(str(config(pretrained_cfg=theirs)), kind="image").config["pretrained_cfg"]
    assert not kept.keys() & {"file", "custom_load", "url", "state_dict", "hf_hub_id"}
    for name, value in (("input_size", [3, 10**5, 64]), ("mean", ["a"] * 3), ("std", [0, 1, 1]), ("crop_pct", 0)):
        with pytest.raises(ModelError, match=f"pretrained_cfg.{name}"):
            load(str(config(pretrained_cfg={**given["pretrained_cfg"], name: value})), kind="image")


def test_a_torch_file_that_bursts_is_refused(tmp_path):
    torch.save({"a": torch.zeros(8)}, tmp_path / "small.pth")
    with zipfile.ZipFile(tmp_path / "small.pth") as whole, zipfile.ZipFile(tmp_path / "bomb.pth", "w") as bomb:
        for name in whole.namelist():
            bomb.writestr(name, whole.read(name))
        bomb.writestr("small/data/9", bytes(50_000_000), zipfile.ZIP_DEFLATED)
    with pytest.raises(ModelError, match="bytes packed into"):
        open_torch_file(tmp_path / "bomb.pth")
    torch.save({"a": torch.zeros(()).expand(10**12)}, tmp_path / "wide.pth")
    with pytest.raises(ModelError, match="4,000,000,000,000 bytes of tensors in a file of"):
        open_torch_file(tmp_path / "wide.pth")
    for state in ({"a": torch.zeros(2, 2).to_sparse()}, {1: torch.zeros(2)}, {"a": torch.zeros(2, device="meta")}):
        torch.save(state, tmp_path / "odd.pth")
        with pytest.raises(ModelError):
            open_torch_file(tmp_path / "odd.pth")


@pytest.mark.parametrize(
    "how", ["external link", "soft link", "virtual", "external", "huge", "never written", "twice", "objects"]
)
def test_an_hdf5_file_is_read_alone(how, tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["x"] = np.arange(4, dtype=np.float32)
    (tmp_path / "secret.bin").write_bytes(bytes(16))
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"fc1"]
        group = file.create_group("fc1")
        group.attrs["weight_names"] = [b"x"]
        if how == "external link":
            group["x"] = h5py.ExternalLink("secret.h5", "/x")
        elif how == "soft link":
            group["x"] = h5py.SoftLink("/fc1")
        elif how == "virtual":
            layout = h5py.VirtualLayout((4,), np.float32)
            layout[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "x", (4,))
            group.create_virtual_dataset("x", layout)
        elif how == "external":
            group.create_dataset("x", (4,), np.float32, external=[(str(tmp_path / "secret.bin"), 0, 16)])
        elif how in ("huge", "never written"):  # 4 TB of zeros; and 4 MB
            rows = 10**12 if how == "huge" else 10**6
            group.create_dataset("x", (rows,), np.float32, chunks=(10**6,), fillvalue=1.0)
        elif how == "twice":  # by another name
            group.create_dataset("x", data=np.ones(4, np.float32))
            group.attrs["weight_names"] = [b"x", b"./x"]
        else:
            group.create_dataset("x", data=["a", "b"], dtype=h5py.string_dtype())
    unwritten = "the numbers of 'x' are not in the file"
    said = {"huge": unwritten, "never written": unwritten, "objects": "which are no weights", "twice": "twice"}
    said = said.get(how, "not followed")
    with pytest.raises(ModelError, match=said):
        from_keras.translate(path)


@pytest.mark.parametrize(
    "read",
    [
        file_sha256,
        manifest._sha256,
        lambda path: files.read_file(path, most=2**30),
        lambda path: copy_regular(path, path.with_name("copy")),
    ],
    ids=["hash", "hash of what was saved", "content", "copy"],
)
def test_what_grows_behind_its_size_is_not_read_to_its_end(read, tmp_path, monkeypatch):
    """As files of /proc do, which are said to be empty and go on for ever."""
    path = tmp_path / "model.onnx"
    path.touch()
    looked_at, opened = os.fstat, []

    def growing(descriptor):
        status = looked_at(descriptor)
        if status.st_ino == path.stat().st_ino and status.st_size == 0:
            opened.append(os.dup(descriptor))  # which has its place in the file with the first
            os.truncate(path, 100 * 2**20)
            return status
        return status if status.st_ino != path.stat().st_ino else os.stat_result((*status[:6], 0, *status[7:]))

    monkeypatch.setattr(os, "fstat", growing)
    with pytest.raises((ModelError, OSError), match=r"more than 1,048,576 bytes"):
        read(path)
    assert os.lseek(opened[0], 0, os.SEEK_CUR) <= 3 * 2**20
    os.close(opened[0])
    assert not path.with_name("copy").exists() or path.with_name("copy").stat().st_size <= 2**20


def varint(value: int) -> bytes:
    made = b""
    while value > 0x7F:
        made, value = made + bytes([value & 0x7F | 0x80]), value >> 7
    return made + bytes([value])


def field(number: int, content: bytes | int) -> bytes:
    """One of a protocol buffer."""
    if isinstance(content, int):
        return bytes([number << 3]) + varint(content)
    return bytes([number << 3 | 2]) + varint(len(content)) + content


EXTERNAL = field(13, field(1, b"location") + field(2, b"/etc/passwd")) + field(14, 1)


@pytest.mark.parametrize(
    "graph",
    [
        field(5, EXTERNAL),  # an initializer
        field(5, field(14, 1)),
        field(1, field(5, field(5, EXTERNAL))),  # the tensor of a node's attribute
        field(1, field(5, field(6, field(5, EXTERNAL)))),  # within a graph of its own: a loop's body
        field(15, field(1, EXTERNAL)),  # a sparse one
        b"\x0b\x0c" + field(5, EXTERNAL),  # behind an old-fashioned group, which readers pass over
    ],
    ids=["initializer", "location alone", "attribute", "subgraph", "sparse", "group"],
)
def test_an_onnx_file_that_names_another_is_refused(graph, tmp_path):
    (tmp_path / "model.onnx").write_bytes(field(7, b"") + field(7, graph))
    with pytest.raises(ModelError, match=r"in another file|no whole ONNX file"):
        refuse_other_files(tmp_path / "model.onnx")


@pytest.mark.parametrize("version", [2**40, 2**64 - 1], ids=["large", "negative"])
def test_operators_of_a_version_that_there_is_not_are_refused(version, tmp_path):
    """OpenVINO counts up to the one, and trips over the other."""
    (tmp_path / "model.onnx").write_bytes(field(7, b"") + field(8, field(2, version)))
    with pytest.raises(ModelError, match="set of operators"):
        refuse_other_files(tmp_path / "model.onnx")


def nested(depth: int) -> bytes:
    return field(1, field(4, b"If") + field(5, field(6, nested(depth - 1)))) if depth else field(1, field(4, b"Sin"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (field(7, field(1, field(4, b"Loop"))), "it has Loop"),
        (field(7, field(1, field(4, b"If") + field(5, field(6, field(1, field(4, b"Scan")))))), "it has Scan"),
        (field(7, field(1, field(4, b"RandomNormalLike"))), "it has RandomNormalLike"),
        (field(7, field(1, field(1, b"x") + field(1, b"") + field(4, b"Conv"))), "too few inputs of a Conv"),
        (field(7, field(1, field(4, b"Relu"))), "too few inputs of a Relu"),
        (field(7, field(1, field(1, b"x") + field(4, b"Pad"))) + field(8, field(2, 17)), "too few inputs of a Pad"),
        (field(7, nested(5)), "more steps"),
        (field(7, field(1, field(4, b"Sin")) * 50_001), "more steps"),
        (field(7, field(2, b"") * 2_000_001), "more in it"),
        (bytes(1_000_000), "not a protocol buffer"),
    ],
    ids=["loop", "scan within", "random", "convolution", "nothing", "border", "nested", "long", "fields", "zeros"],
)
def test_graphs_that_no_image_model_needs_are_refused(content, said, tmp_path):
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=said):
        refuse_other_files(tmp_path / "model.onnx")


def test_a_graph_that_makes_very_many_numbers_is_refused(tmp_path, own_cache):
    onnx = pytest.importorskip("onnx")
    from headstart.pretrained import from_onnx

    made = onnx.helper.make_tensor("shape", onnx.TensorProto.INT64, [2], [200_000, 200_000])
    nodes = [onnx.helper.make_node("ConstantOfShape", ["shape"], ["many"])]
    nodes += [onnx.helper.make_node("ReduceMean", ["many"], ["one"], keepdims=0)]
    nodes += [onnx.helper.make_node("Mul", ["x", "one"], ["y"])]
    shapes = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", 4]) for name in "xy"]
    graph = onnx.helper.make_graph(nodes, "g", shapes[:1], shapes[1:], [made])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)]), tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=r"makes \[200000,200000\] numbers"):
        from_onnx.module(tmp_path / "model.onnx", 4)


@settings(max_examples=200)
@given(content=st.binary(max_size=60))
def test_any_bytes_as_an_onnx_file_are_passed_or_refused(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    path.write_bytes(content)
    try:
        refuse_other_files(path)
    except ModelError as error:
        assert "\n" in str(error)  # noqa: PT017 - what to do is said


def test_a_saved_onnx_model_whose_weights_lie_beside_it_is_refused(tmp_path, own_cache):
    """The hash in headstart.json stands for model.onnx alone."""
    onnx = pytest.importorskip("onnx")
    from headstart.pretrained import from_onnx

    weight = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [512], struct.pack("512f", *range(512)), raw=True)
    node = onnx.helper.make_node("Mul", ["x", "w"], ["y"])
    shapes = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", 512]) for name in "xy"]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", shapes[:1], shapes[1:], [weight]))
    onnx.save(model, tmp_path / "model.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    with pytest.raises(ModelError, match="in another file"):
        from_onnx.module(tmp_path / "model.onnx", 512)
