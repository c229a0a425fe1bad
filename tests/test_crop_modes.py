"""How much of an image a model is shown: the centre, all of it squashed, or all of it in a border."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from packaging.version import Version
from PIL import Image

import headstart as hs
from headstart.backbone import ImagePreparation
from headstart.encode.encode import features_key
from headstart.errors import ModelError
from headstart.inputs.image import open_image, prepare, wanted_side
from headstart.pretrained.from_timm import timm
from headstart.pretrained.load import load
from headstart.pretrained.onnx_preparation import read_preparation
from small_models import small_image_model

SHAPES = [(90, 61), (61, 90), (400, 75), (75, 400), (50, 50), (30, 17)]  # width, height
PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
TINTED = {"mean": (0.5, 0.25, 0.75), "std": (1.0, 1.0, 1.0)}


def scene(width: int, height: int) -> Image.Image:
    """A picture with something to see everywhere."""
    coarse = np.random.default_rng(0).integers(0, 255, (9, 9, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def near(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Equal but for rounding: a resampler that is given the cut may go over the two directions in another order."""
    assert ours.shape == theirs.shape
    difference = np.abs(ours.astype(float) - theirs.astype(float))
    assert difference.max() < 2.5
    assert difference.mean() < 0.25


@pytest.mark.parametrize("mode", ["center", "squash", "border"])
@pytest.mark.parametrize("crop", [1.0, 0.875, 0.8975])
@pytest.mark.parametrize("size", [(64, 64), (48, 80)], ids=["square", "wide"])
def test_pixels_are_those_of_timms_own_transform(mode, crop, size):
    if size == (48, 80) and mode == "center" and Version(timm.__version__) < Version("1.0.31"):
        pytest.skip("timm resized such images otherwise")
    preparation = ImagePreparation(size, crop, "bicubic", **TINTED, crop_mode=mode)
    transform = timm.data.create_transform(
        (3, *size), crop_pct=crop, crop_mode=mode, interpolation="bicubic", mean=TINTED["mean"], normalize=False
    )
    for shape in SHAPES:
        image = scene(*shape)
        near(prepare(image, preparation), transform(image).numpy().transpose(1, 2, 0))


@pytest.mark.parametrize("mode", ["center", "squash", "border"])
@pytest.mark.parametrize("shape", [(1600, 900), (700, 2900)])
def test_a_photo_decoded_at_a_reduced_scale_looks_the_same(mode, shape, tmp_path):
    preparation = ImagePreparation((64, 96), 0.9, "bicubic", **PLAIN, crop_mode=mode)
    scene(*shape).save(tmp_path / "photo.jpg", quality=95)
    reduced = open_image(tmp_path / "photo.jpg", near=wanted_side(preparation))
    assert reduced.size != shape
    whole = prepare(open_image(tmp_path / "photo.jpg"), preparation)
    assert np.abs(prepare(reduced, preparation).astype(float) - whole).mean() < 1


def squashed(folder: Path, architecture: str = "resnet18", mode: str = "squash") -> Path:
    """A small model whose own configuration says so."""
    small_image_model(architecture, folder)
    config = json.loads((folder / "config.json").read_text())
    config["pretrained_cfg"] |= {"crop_mode": mode, "crop_pct": 1.0}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def wide(photos: Path) -> Path:
    """The photos, each a part of itself that is not square."""
    for file in photos.glob("*/*.jpg"):
        photo = Image.open(file)
        photo.crop((0, 0, photo.width, photo.height * 2 // 3)).save(file)
    return photos


def test_timms_squash_is_followed_and_goes_into_the_saved_folder(photos, tmp_path, own_cache):
    folder = squashed(tmp_path / "model")
    model = hs.fit(wide(photos), model=str(folder), out=tmp_path / "saved", how="probe")
    assert model.backbone.preparation.crop_mode == "squash"
    assert json.loads((tmp_path / "saved" / "config.json").read_text())["pretrained_cfg"]["crop_mode"] == "squash"
    theirs = timm.create_model(f"local-dir:{tmp_path / 'saved'}", pretrained=True).eval()
    transform = timm.data.create_transform(**timm.data.resolve_data_config({}, model=theirs))
    files = sorted(photos.glob("*/*.jpg"))[::5]
    with torch.inference_mode():
        pixels = torch.stack([transform(Image.open(file).convert("RGB")) for file in files])
        probabilities = theirs(pixels).softmax(-1).numpy()
    ours = hs.load(tmp_path / "saved").predict_proba(files)
    np.testing.assert_allclose(ours, probabilities, atol=0.02)
    np.testing.assert_array_equal(ours, model.predict_proba(files))


def test_a_folder_saved_before_there_was_a_choice_opens_and_gives_its_answers(photos, tmp_path, own_cache):
    small_image_model("resnet18", tmp_path / "model")
    model = hs.fit(photos, model=str(tmp_path / "model"), out=tmp_path / "saved", how="probe")
    told = json.loads((tmp_path / "saved" / "headstart.json").read_text())
    del told["backbone"]["preparation"]["crop_mode"]
    (tmp_path / "saved" / "headstart.json").write_text(json.dumps(told))
    files = sorted(photos.glob("*/*.jpg"))[::9]
    np.testing.assert_array_equal(hs.load(tmp_path / "saved").predict_proba(files), model.predict_proba(files))


def test_features_of_each_way_of_cutting_have_a_name_of_their_own_in_the_store():
    backbone = load("efficientnet_lite0", kind="image")
    modes = [replace(backbone.preparation, crop_mode=mode) for mode in ("center", "squash", "border")]
    assert len({features_key(replace(backbone, preparation=p), "f32") for p in modes}) == 3


def test_a_way_of_cutting_that_is_not_known_is_refused(tmp_path, own_cache):
    with pytest.raises(ModelError, match="crop_mode 'spiral'"):
        load(str(squashed(tmp_path / "model", mode="spiral")), kind="image")


COLOURS = {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.25]}
SIDECARS = {  # transformers' processor of a kind of model, and what its file says
    "ViTImageProcessor": {"size": {"height": 64, "width": 48}, "resample": 2},
    "DeiTImageProcessor": {
        "size": {"height": 73, "width": 73},
        "resample": 3,
        "do_center_crop": True,
        "crop_size": {"height": 64, "width": 64},
    },
    "CLIPImageProcessor": {
        "size": {"shortest_edge": 354},  # 224 / (224 / 354) is a little less in a computer
        "resample": 3,
        "do_center_crop": True,
        "crop_size": {"height": 224, "width": 224},
    },
    "ConvNextImageProcessor": {"size": {"shortest_edge": 64}, "resample": 3, "crop_pct": 0.875},
    "ConvNextImageProcessor, large": {"size": {"shortest_edge": 384}, "resample": 3, "crop_pct": 0.875},
    "PoolFormerImageProcessor": {
        "size": {"shortest_edge": 64},
        "resample": 3,
        "crop_pct": 0.92,
        "do_center_crop": True,
        "crop_size": {"height": 64, "width": 64},
    },
}


@pytest.mark.parametrize("name", SIDECARS)
def test_what_lies_beside_an_onnx_file_means_what_it_means_to_transformers(name, tmp_path):
    import transformers

    processor = getattr(transformers, name.split(",")[0])(**SIDECARS[name], **COLOURS)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(SIDECARS[name] | COLOURS))
    preparation, _ = read_preparation(tmp_path)
    for shape in [(120, 60), (60, 120), (400, 100), (50, 50)]:  # no half pixels: transformers rounds those down
        image = scene(*shape)
        theirs = processor(image, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)
        near(prepare(image, preparation), 255 * (theirs * COLOURS["image_std"] + COLOURS["image_mean"]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size": 64}, "of both sides or of the shorter one"),
        ({"size": {"shortest_edge": 64, "longest_edge": 80}}, "longest_edge"),
        ({"size": {"shortest_edge": 64}, "image_processor_type": "LevitImageProcessor"}, "shortest_edge"),
        ({"size": {"shortest_edge": 64}}, "images of any shape"),
        ({"crop_size": {"height": 64, "width": 32}, "do_center_crop": True}, "another share of each side"),
        ({"do_flip_channel_order": True}, "do_flip_channel_order is on"),
        ({"do_resize": False}, "do_resize is off"),
    ],
)
def test_what_is_not_clear_beside_an_onnx_file_is_refused(change, said, tmp_path):
    plain = {"size": {"height": 73, "width": 73}, "resample": 3, **COLOURS}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(plain | change))
    with pytest.raises(ModelError, match=said):
        read_preparation(tmp_path)


@pytest.mark.parametrize("mode", ["squash", "border"])
def test_timms_word_beside_an_onnx_file(mode, tmp_path):
    settings = {"input_size": [3, 64, 64], "crop_pct": 1.0, "interpolation": "bicubic", "crop_mode": mode, **PLAIN}
    (tmp_path / "config.json").write_text(json.dumps({"pretrained_cfg": settings}))
    assert read_preparation(tmp_path)[0] == ImagePreparation((64, 64), 1.0, "bicubic", **PLAIN, crop_mode=mode)
