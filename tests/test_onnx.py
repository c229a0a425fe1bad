"""ONNX files: the same features as the model they were exported from, and a head of one's own on them."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import headstart as hs
from elsewhere import printed_by_the_card
from headstart.encode.encode import encode
from headstart.encode.engines import open_engine
from headstart.errors import ModelError
from headstart.pretrained.load import load, load_classifier
from small_models import pictures, prepared_pixels, small_image_model
from test_saved_as_model import refitted

SIDECAR = {
    "do_resize": True,
    "size": {"shortest_edge": 72},
    "resample": 3,
    "do_center_crop": True,
    "crop_size": {"height": 64, "width": 64},
    "do_normalize": True,
    "image_mean": [0.48, 0.45, 0.4],
    "image_std": [0.26, 0.25, 0.27],
}


def export(model: torch.nn.Module, file: Path, *, old: bool = False, dynamic: bool = True) -> None:
    example = (torch.zeros(1, 3, 64, 64),)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if old:
            axes = {"pixels": {0: "n"}} if dynamic else None
            torch.onnx.export(model, example, file, dynamo=False, input_names=["pixels"], dynamic_axes=axes)
        else:
            torch.onnx.export(model, example, file, external_data=False, dynamic_shapes=({0: "n"},), verbose=False)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Two architectures, each as both exporters of torch write them, with a sidecar of each kind."""
    folder = tmp_path_factory.mktemp("onnx")
    models = {}
    for name, old in (("resnet18", True), ("vit_tiny_patch16_224", False)):
        models[name] = small_image_model(name, folder / f"{name}-timm")
        (folder / name).mkdir()
        export(models[name], folder / name / "model.onnx", old=old)
        if old:
            (folder / name / "preprocessor_config.json").write_text(json.dumps(SIDECAR))
        else:
            shutil.copy(folder / f"{name}-timm" / "config.json", folder / name)
    return folder, models


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224"])
def test_features_and_head_are_those_of_the_exported_model(name, exported, own_cache):
    folder, models = exported
    file = folder / name / "model.onnx"
    backbone, own = load_classifier(str(file))
    images = pictures()
    prepared, pixels = prepared_pixels(images, backbone.preparation)
    with torch.inference_mode():
        theirs = models[name].forward_head(models[name].forward_features(pixels), pre_logits=True).numpy()
        logits = models[name](pixels).numpy()
    batches = [(np.arange(4), (prepared[:4],)), (np.arange(4, 5), (prepared[4:],))]
    ours = np.concatenate([made for _, made in open_engine(backbone, "f32")(batches)])
    scale = max(1.0, float(np.abs(theirs).max()))
    np.testing.assert_allclose(ours / scale, theirs / scale, atol=1e-4)
    np.testing.assert_allclose(theirs @ own.weight.T + own.bias, logits, atol=1e-4 * scale)
    expected = "kind" if "vit" in name else "class"  # timm's file beside it names the classes
    assert own.classes == tuple(f"{expected} {i}" for i in range(7))
    assert hs.load(file).predict(images[0])[0].label == f"{expected} {logits[0].argmax()}"


def test_preparation_is_what_the_sidecar_says(exported, own_cache):
    folder, _ = exported
    ours = load(str(folder / "resnet18" / "model.onnx"), kind="image").preparation
    assert (ours.size, ours.interpolation, ours.mean) == ((64, 64), "bicubic", (0.48, 0.45, 0.4))
    assert ours.crop == pytest.approx(64 / 72)


def test_fit_save_load_predict_and_plain_code(exported, photos, tmp_path, own_cache):
    folder, _ = exported
    file = folder / "resnet18" / "model.onnx"
    fitted = hs.fit(photos, model=str(file), out=tmp_path / "saved")
    again = hs.load(tmp_path / "saved")
    some = sorted(photos.glob("*/*.jpg"))[::8]
    np.testing.assert_array_equal(again.predict_proba(some), fitted.predict_proba(some))
    assert (tmp_path / "saved" / "model.onnx").read_bytes() == file.read_bytes()
    assert json.loads((tmp_path / "saved" / "preprocessor_config.json").read_text()) == SIDECAR
    code = (tmp_path / "saved" / "README.md").read_text().split("```python")[-1].split("```")[0]
    shutil.copy(some[0], tmp_path / "photo.jpg")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    label, probability = done.stdout.rsplit(" ", 1)
    best = again.predict(some[0])[0]
    assert label == best.label
    assert float(probability) == pytest.approx(best.probability, abs=0.02)
    np.testing.assert_array_equal(refitted(fitted, photos).predict_proba(some), fitted.predict_proba(some))
    with (tmp_path / "saved" / "model.onnx").open("ab") as onnx:
        onnx.write(b"\0")
    with pytest.raises(ModelError, match="not those that were saved"):
        hs.load(tmp_path / "saved")


@pytest.mark.parametrize("mode", ["squash", "border"])
def test_a_model_that_sees_all_of_an_image_and_its_plain_code(mode, exported, photos, tmp_path, own_cache):
    folder, _ = exported
    shutil.copy(folder / "resnet18" / "model.onnx", tmp_path)
    if mode == "squash":
        told = SIDECAR | {"size": {"height": 64, "width": 64}, "do_center_crop": False}
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(told))
    else:
        cut = {"input_size": [3, 64, 64], "crop_pct": 1.0, "crop_mode": mode, "interpolation": "bicubic"}
        told = {"pretrained_cfg": cut | {"mean": [0.48, 0.45, 0.4], "std": [0.26, 0.25, 0.27]}}
        (tmp_path / "config.json").write_text(json.dumps(told))
    for file in photos.glob("*/*.jpg"):
        photo = Image.open(file)
        photo.crop((0, 0, photo.width // 2, photo.height)).save(file)
    fitted = hs.fit(photos, model=str(tmp_path / "model.onnx"), out=tmp_path / "saved")
    assert fitted.backbone.preparation.crop_mode == mode
    some = max(photos.glob("*/*.jpg"))
    shutil.copy(some, tmp_path / "photo.jpg")
    best = hs.load(tmp_path / "saved").predict(some)[0]
    assert printed_by_the_card(tmp_path / "saved", tmp_path) == (
        best.label,
        pytest.approx(best.probability, abs=0.02),
    )


def test_a_softmax_at_the_end_is_passed_and_transformers_names_are_read(exported, tmp_path, own_cache):
    _, models = exported
    whole = models["resnet18"]
    export(torch.nn.Sequential(whole, torch.nn.Softmax(-1)), tmp_path / "model.onnx", old=True)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(SIDECAR))
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {str(i): f"bird {i}" for i in range(7)}}))
    backbone, own = load_classifier(str(tmp_path / "model.onnx"))
    assert (backbone.width, own.classes[6]) == (512, "bird 6")
    np.testing.assert_allclose(own.weight, whole.fc.weight.detach().numpy(), atol=1e-6)
    np.testing.assert_allclose(own.bias, whole.fc.bias.detach().numpy(), atol=1e-6)


def test_a_model_without_a_linear_layer_at_its_end_gives_its_output(exported, tmp_path, own_cache):
    _, models = exported
    whole = models["resnet18"]
    body = torch.nn.Sequential(whole.conv1, whole.bn1, whole.layer1, whole.global_pool).eval()
    export(body, tmp_path / "model.onnx", old=True)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(SIDECAR))
    assert load(str(tmp_path / "model.onnx"), kind="image").width == 64
    with pytest.raises(ModelError, match="no classes of its own"):
        load_classifier(str(tmp_path / "model.onnx"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "nothing says how its images are prepared"),
        ({"size": {"height": 72, "width": 64}}, "another share of each side"),
        ({"do_center_crop": False}, "no centre crop"),
        ({"rescale_factor": 1.0}, "not 1/255"),
        ({"image_mean": None}, "not clear"),
        ({"resample": 5}, "not clear"),
        ({"crop_size": {"height": 32, "width": 32}}, r"not one batch of images \[n,3,32,32\]"),
    ],
)
def test_preparation_is_never_guessed(change, said, exported, tmp_path, own_cache):
    folder, _ = exported
    shutil.copy(folder / "resnet18" / "model.onnx", tmp_path)
    if change:
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(SIDECAR | change))
    with pytest.raises(ModelError, match=said) as error:
        load(str(tmp_path / "model.onnx"), kind="image")
    assert str(error.value).count("\n") <= 1
    if not change:
        assert "preprocessor_config.json" in str(error.value)


def test_a_damaged_file_is_refused(exported, tmp_path, own_cache):
    folder, _ = exported
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(SIDECAR))
    whole = (folder / "resnet18" / "model.onnx").read_bytes()
    for content in (b"", b"not onnx at all", whole[:1000]):
        (tmp_path / "model.onnx").write_bytes(content)
        with pytest.raises(ModelError, match="OpenVINO cannot read it") as error:
            load(str(tmp_path / "model.onnx"), kind="image")
        assert str(error.value).count("\n") <= 1


def test_weights_in_a_second_file_are_refused_and_the_fix_works(exported, tmp_path, own_cache):
    import onnx

    _, models = exported
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(SIDECAR))
    export(models["resnet18"], tmp_path / "whole.onnx")
    onnx.save(onnx.load(tmp_path / "whole.onnx"), tmp_path / "two.onnx", save_as_external_data=True, location="two.bin")
    with pytest.raises(ModelError, match=r"onnx.save\(onnx.load\(FILE\), NEW\)"):
        load(str(tmp_path / "two.onnx"), kind="image")
    onnx.save(onnx.load(tmp_path / "two.onnx"), tmp_path / "one.onnx")
    assert load(str(tmp_path / "one.onnx"), kind="image").width == 512


def test_a_batch_of_one_is_widened_where_the_graph_allows_it(exported, tmp_path, own_cache):
    _, models = exported
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(SIDECAR))
    pictures, names = [Image.new("RGB", (80, 70), (9, 99, 200))], np.zeros((1, 32), np.uint8)
    for name in models:
        export(models[name], tmp_path / f"{name}.onnx", old=True, dynamic=False)
    one, fixed = (load(str(tmp_path / f"{name}.onnx"), kind="image") for name in models)
    assert encode(pictures, names, one).matrix[:].shape == (1, 512)
    with pytest.raises(ModelError, match="export it with a dynamic first dimension"):
        encode(pictures, names, fixed)  # the class token was written out for one image
