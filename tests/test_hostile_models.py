"""Saved folders and models of strangers: what is wrong is refused in a line, and nothing of theirs runs or lies."""

from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import headstart as hs
from headstart.adapt import batches
from headstart.encode import engines, graphs
from headstart.errors import ModelError
from headstart.pretrained.description import saved_classifier
from headstart.pretrained.load import load
from headstart.pretrained.schema import Wrong
from headstart.pretrained.timm_arguments import model_args
from hostile import MISSING, TEXTS, changed, opened, put
from small_models import QUESTION

REFUSED = [  # kind, field, value, what is said
    ("image", "backbone.width", None, "backbone.width is null, not a whole number"),
    ("image", "backbone.width", MISSING, "backbone.width is missing"),
    ("image", "backbone.width", True, "backbone.width is true, not a whole number"),
    ("image", "backbone.width", 10**9, "backbone.width is 1000000000, not between 1 and 1,000,000"),
    ("image", "backbone.width", 49, "the head's 'head.weight' is F32"),
    ("image", "backbone.source", "pickle", "backbone.source is 'pickle', not one of timm, onnx, static, transformers"),
    ("image", "backbone.source", "transformers", "backbone.architecture|backbone.kind"),
    ("image", "backbone.kind", "text", "backbone.kind is 'text', not one of image"),
    ("image", "backbone.architecture", "hf-hub:somebody/model", "not a name of an architecture"),
    ("image", "backbone.architecture", "../vit", "not a name of an architecture"),
    ("image", "backbone.weights_hash", "0" * 64, "the weights are not those that were saved"),
    ("image", "backbone.preparation.size", [64, 5000], r"preparation.size\[1\] is 5000"),
    ("image", "backbone.preparation.size", [64], "preparation.size has 1 entries, not 2"),
    ("image", "backbone.preparation.crop", 0, "preparation.crop is 0, not a finite number above 0 to 2"),
    ("image", "backbone.preparation.mean", [0, 0, math.nan], r"preparation.mean\[2\] is nan, not a number"),
    ("image", "backbone.preparation.std", [1, 1, 0], r"preparation.std\[2\] is 0"),
    ("image", "backbone.preparation.interpolation", "magic", "preparation.interpolation is 'magic'"),
    ("image", "backbone.preparation.crop_mode", "spiral", "preparation.crop_mode is 'spiral'"),
    ("image", "backbone.config.classifier", "", "classifier"),
    ("image", "backbone.config.changes", ["exec"], r"changes\[0\] is 'exec'"),
    ("image", "backbone.config.model_args", {"checkpoint_path": "evil.pth"}, "model_args has 'checkpoint_path'"),
    ("image", "backbone.config.model_args", {"embed_dim": 10**9}, "model_args.embed_dim"),
    ("image", "classes", ["one", "one"], "classes has the same entry twice"),
    ("image", "classes", ["one", 2], r"classes\[1\] is 2, not a text"),
    ("image", "classes", ["other", "one"], "class names were changed"),
    ("image", "head.file", "../../etc/passwd", "head.file is '../../etc/passwd'"),
    ("image", "head.prefix", "nothing.", "the head's 'nothing.weight' is missing"),
    ("image", "head.prefix", "a/b", "head.prefix is 'a/b'"),
    ("image", "head.temperature", 0, "head.temperature is 0, not a finite number above 0"),
    ("image", "head.temperature", math.inf, "head.temperature is inf"),
    ("image", "head.penalty", "1", "head.penalty is '1', not a number"),
    ("image", "head.hash", "0" * 64, "the head is not the one that was saved"),
    ("image", "head.features_key", "2 0 f32", "the head is not the one that was saved"),
    ("image", "head.temperature", 2.5, "the head is not the one that was saved"),
    ("text", "head.penalty", 1e-9, "the head is not the one that was saved"),
    ("text", "head.more", {"scale": 2}, "the head is not the one that was saved"),
    ("image", "summary", [], "summary is a list, not an object"),
    ("text", "backbone.preparation.max_length", 0, "max_length is 0"),
    ("text", "backbone.preparation.max_length", 63, "features of another backbone"),
    ("text", "backbone.preparation.pad_id", -1, "pad_id is -1"),
    ("text", "backbone.preparation.inputs", ["input_ids"], "preparation.inputs is a list"),
    ("text", "backbone.config.layers", [3, 3], "layers has the same entry twice"),
    ("text", "backbone.config.layers", [999], r"layers\[0\] is 999"),
    ("text", "backbone.config.pooling", "sum", "pooling is 'sum', not one of mean, cls, max"),
    ("text", "backbone.config.head", "classes", "config"),
    ("text", "backbone.config.transformers", None, "transformers is null, not an object"),
    ("text", "backbone.config.transformers.hidden_act", "relu", "features of another backbone"),
    ("text", "backbone.config.transformers.vocab_size", 3, "the tokenizer has 22 words, the model vectors for 3"),
    ("reader", "reader.temperature", -1, "reader.temperature is -1"),
    ("reader", "reader.longest", 10**9, "reader.longest"),
    ("reader", "reader.threshold", "no", "reader.threshold is 'no', not a number"),
    ("reader", "reader.heat", 2, "reader has 'heat'"),
    ("reader", "backbone.width", 3, "backbone.width is 3, not 2"),
    ("reader", "backbone.config.head", "classes", "not those that were saved"),
]


@pytest.mark.parametrize(("kind", "field", "value", "said"), REFUSED, ids=lambda value: str(value)[:40])
def test_a_field_that_cannot_be_is_named(kind, field, value, said, made, tmp_path):
    folder = changed(made.folder / kind, tmp_path / kind, headstart=lambda told: put(told, field, value))
    with pytest.raises(ModelError, match=said) as error:
        opened(folder)
    assert str(error.value).count("\n") <= 1
    assert str(folder) in str(error.value)


def fields(told: Any, path: str = "") -> list[str]:
    found = []
    for name, entry in told.items():
        found.append(f"{path}{name}")
        if isinstance(entry, dict) and name not in ("summary", "id2label", "label2id", "pretrained_cfg"):
            found += fields(entry, f"{path}{name}.")
    return found


STRANGE = [MISSING, None, True, -1, 10**9, 1.5, math.nan, "", "x", "\ud800\n", [], [None], {}, {"a": [1]}, [[[[1]]]]]


@pytest.mark.parametrize("kind", ["image", "text", "reader"])
def test_any_field_missing_or_of_another_type_is_no_traceback(kind, made, tmp_path):
    """Refused in at most two lines, or it answers. A reader is slow to ask, so of those that open every eighth is."""
    folder = changed(made.folder / kind, tmp_path / kind)
    told, said, open_ones = json.loads((folder / "headstart.json").read_text()), [], 0
    for field in fields(told):
        for value in STRANGE:
            (folder / "headstart.json").write_text(json.dumps(put(told, field, value)))
            try:
                model = opened(folder)
                open_ones += 1
                if kind != "reader":
                    shares = model.predict_proba(TEXTS if kind == "text" else [made.photo])
                    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)
                elif open_ones % 8 == 0:
                    assert [answer.text for answer in model.answer(QUESTION, "it is of 1984 .")] == ["1984"]
            except ModelError as error:
                said.append(str(error))
    assert len(said) > 200
    assert all(len(error.splitlines()) <= 2 for error in said)
    assert open_ones > 10


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300)
@given(data=st.data())
def test_whatever_stands_there_is_refused_or_of_its_type(data, made):
    told = json.loads((made.folder / "image" / "headstart.json").read_text())
    changes = data.draw(st.dictionaries(st.sampled_from(fields(told)), JSON, min_size=1, max_size=2))
    for field, value in changes.items():
        try:
            told = put(told, field, value)
        except (KeyError, TypeError, AttributeError):
            continue
    try:
        found = saved_classifier(told, made.folder)
    except ModelError:
        return
    assert isinstance(found["backbone"]["width"], int)
    assert all(isinstance(name, str) for name in found["classes"])
    assert set(found["backbone"]["config"]) <= {"classifier", "pretrained_cfg", "model_args", "changes"}


@settings(max_examples=200)
@given(
    value=JSON, name=st.sampled_from(["embed_dim", "depth", "mlp_ratio", "qkv_bias", "act_layer", "global_pool", "x"])
)
def test_arguments_for_timm_are_small_and_plain(value, name):
    try:
        found = model_args({name: value}, "model_args")
    except Wrong:
        return
    assert value is None or (name != "x" and json.dumps(found) == json.dumps({name: value}))


def test_a_saved_model_is_built_from_its_own_description(made, tmp_path, own_cache):
    ours = hs.load(made.folder / "text").predict_proba(TEXTS)
    code = {"hidden_act": "relu", "auto_map": {"AutoModel": "a.B"}, "num_hidden_layers": 1}
    folder = changed(made.folder / "text", tmp_path / "text", config=code, adapter_config={"peft_type": "LORA"})
    os.environ["HEADSTART_CACHE"] = str(tmp_path / "another")  # own_cache puts it back
    np.testing.assert_array_equal(hs.load(folder).predict_proba(TEXTS), ours)


def first_form(model: hs.Model) -> str:
    """The key of features as it was before it covered the configuration."""
    preparation, backbone = model.backbone.preparation, model.backbone
    return f"1 {preparation!r} {getattr(preparation, 'tokenizer', '')} {backbone.weights_hash} f32"


@pytest.mark.parametrize("kind", ["image", "text"])
def test_a_folder_with_a_key_of_the_first_form_opens_and_another_does_not(kind, made, tmp_path):
    model = hs.load(made.folder / kind)

    def keyed(key: str) -> Path:
        """As it was before heads had a hash."""
        put_in = lambda told: put(put(told, "head.features_key", key), "head.hash", MISSING)  # noqa: E731
        return changed(made.folder / kind, tmp_path / "old", headstart=put_in)

    asked = TEXTS if kind == "text" else [made.photo]
    np.testing.assert_array_equal(hs.load(keyed(first_form(model))).predict_proba(asked), model.predict_proba(asked))
    wrong = first_form(model).replace(model.backbone.weights_hash, "0" * 64)
    with pytest.raises(ModelError, match="features of another backbone"):
        hs.load(keyed(wrong))


def test_an_equals_sign_is_part_of_a_path(made, tmp_path, command):
    folder = tmp_path / "lr=0.1" / "a=b"
    folder.parent.mkdir()
    changed(made.folder / "image", folder)
    code, out, err = command("predict", folder, made.photo, "--json")
    assert (code, json.loads(out)["predictions"][0]["label"] in ("one", "other")) == (0, True), err
    assert load(str(folder), kind="image").name == "a=b"
    weights = tmp_path / "date=2026-01-01" / "w=1.safetensors"
    weights.parent.mkdir()
    shutil.copy(made.folder / "vit" / "model.safetensors", weights)
    with pytest.raises(ModelError, match="the weights do not fit vit_tiny_patch16_224"):  # it is a smaller one
        load(f"vit_tiny_patch16_224={weights}", kind="image")
    with pytest.raises(ModelError, match="no architecture in the file's name"):
        load(str(weights), kind="image")


class Panic(BaseException):
    """As Rust's are, which libraries written in it let through."""


def panicking(*_: object, **__: object) -> None:
    raise Panic("\nindex out of bounds")


def test_a_panic_in_a_tokenizer_is_a_line(made, monkeypatch):
    preparation = hs.load(made.folder / "text").backbone.preparation
    monkeypatch.setattr(batches, "truncating", lambda _: SimpleNamespace(encode_batch_fast=panicking))
    with pytest.raises(ModelError, match="tokenizers cannot use it: Panic index out of bounds"):
        batches.tokenised(TEXTS, preparation)


def test_what_openvino_raises_when_it_is_started_is_a_line(made, monkeypatch, on_a_cpu):
    request = SimpleNamespace(start_async=panicking)
    size = SimpleNamespace(is_static=False)
    compiled = SimpleNamespace(
        create_infer_request=lambda: request, input=lambda _: SimpleNamespace(partial_shape=[size])
    )
    monkeypatch.setattr(graphs, "compiled", lambda *_, **__: compiled)
    engine = engines.open_engine(hs.load(made.folder / "text").backbone, "f32")
    with pytest.raises(ModelError, match="OpenVINO cannot use it: Panic index out of bounds"):
        list(engine([(np.arange(1), (np.ones((1, 4), np.int64),) * 2)]))
