"""Why a model answers as it does, of photos: the map points at what matters, and lies where that is on the photo."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import headstart as hs
from headstart.backbone import ImagePreparation
from headstart.errors import DataError, UserError
from headstart.explain.drawing import drawn, in_characters
from headstart.explain.evidence import HeatMap
from headstart.explain.heat_map import by_gradient
from headstart.explain.neighbours import Reference, neighbours
from headstart.inputs.image import crop_of
from headstart.pretrained import catalog
from headstart.pretrained.map_layer import MapLayer
from small_models import pictures, small_image_model


class Pooled(torch.nn.Module):
    """A convolution and the mean over places."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.maps = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 5, stride=4), torch.nn.ReLU(inplace=True))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.maps(pixels).mean((2, 3))


def test_of_pooled_maps_it_is_the_class_activation_map():
    """Zhou et al. 2016: each place's activations, weighted as the head weights their means."""
    module = Pooled().requires_grad_(False)
    weight = np.random.default_rng(0).normal(size=8).astype(np.float32)
    pixels = torch.rand(1, 3, 33, 41)
    found = by_gradient(module, MapLayer("maps", module.maps, lambda maps: maps.permute(0, 2, 3, 1)), pixels, weight)
    maps = module.maps(pixels)[0].numpy()
    np.testing.assert_allclose(found, np.einsum("chw,c->hw", maps, weight) / maps[0].size, rtol=1e-4, atol=1e-6)
    assert found.sum() == pytest.approx(float(module(pixels)[0].numpy() @ weight), rel=1e-4)


@pytest.mark.parametrize("mode", ["center", "squash", "border"])
@pytest.mark.parametrize("size", [(400, 200), (200, 400), (224, 224), (37, 300)])
def test_the_map_lies_on_the_photo_where_the_model_looks(mode, size):
    preparation = ImagePreparation((224, 224), 0.875 if mode == "center" else 1.0, "bicubic", (0.5,) * 3, (0.5,) * 3)
    preparation = replace(preparation, crop_mode=mode)
    crop, grid = crop_of(size, preparation), np.zeros((7, 7), np.float32)
    grid[3, 3] = 2.0
    over = HeatMap(grid, crop, (224, 224), size, Image.new("RGB", size)).over(size)
    assert over.shape == size[::-1]
    assert over.dtype == np.float32
    row, column = np.unravel_index(int(over.argmax()), over.shape)
    assert abs(row - size[1] / 2) <= size[1] / 14 + 1
    assert abs(column - size[0] / 2) <= size[0] / 14 + 1
    left, top, right, bottom = crop.box
    outside = np.ones(over.shape, bool)
    outside[max(0, round(top)) : round(bottom), max(0, round(left)) : round(right)] = False
    assert not over[outside].any()
    assert outside.any() == (mode == "center")  # the other ways keep all of the photo


def test_a_corner_of_the_grid_is_that_corner_of_the_crop():
    preparation = ImagePreparation((224, 224), 1.0, "bicubic", (0.5,) * 3, (0.5,) * 3)
    grid = np.zeros((7, 7), np.float32)
    grid[0, 6] = -1.0  # against
    heat = HeatMap(
        grid, crop_of((400, 200), preparation), (224, 224), (400, 200), Image.new("RGB", (200, 100), "white")
    )
    row, column = np.unravel_index(int(heat.over((400, 200)).argmin()), (200, 400))
    assert row < 30
    assert 270 < column < 300  # the crop ends at 300
    picture = np.asarray(drawn(heat), dtype=int)
    assert picture.shape == (100, 200, 3)
    assert picture[5, 145, 2] > picture[5, 145, 0] + 30  # blue
    assert (picture[50, 20] < picture[50, 100]).all()  # dark beside the crop
    assert set(in_characters(heat)) <= set("+-| \n")  # nothing speaks for it


@pytest.fixture(scope="module")
def resnet(tmp_path_factory) -> hs.Model:
    folder = tmp_path_factory.mktemp("small") / "resnet"
    small_image_model("resnet18", folder)
    return hs.load(folder)


def test_a_photo_that_lies_on_its_side_is_explained_upright(resnet, tmp_path):
    upright = pictures()[0]
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    upright.save(tmp_path / "upright.png")
    mine, its = (resnet.explain(str(tmp_path / name)) for name in ("upright.png", "turned.png"))
    assert mine.map.shape == its.map.shape == (70, 80)
    np.testing.assert_allclose(mine.map, its.map, atol=1e-5)


def test_each_class_has_a_map_of_its_own(resnet):
    photo = pictures()[1]
    given = resnet.explain(photo)
    assert given.target == given.prediction.label == resnet.predict(photo)[0].label
    other = next(name for name in resnet.classes if name != given.target)
    asked = resnet.explain(photo, other)
    assert asked.target == other
    assert np.abs(asked.map - given.map).max() > 0.1
    assert np.abs(given.map).max() == pytest.approx(1, abs=0.05)
    assert given.neighbours == ()  # nobody has shown it anything
    assert "img" in given._repr_html_()
    with pytest.raises(UserError, match="no class 'kind 77'\ndid you mean 'kind"):
        resnet.explain(photo, "kind 77")


def test_one_input_that_can_be_read(resnet, tmp_path):
    with pytest.raises(DataError, match="2 inputs, and one is explained at a time"):
        resnet.explain(pictures()[:2])
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 no photo")
    with pytest.raises(DataError, match=r"torn.jpg"):
        resnet.explain(str(tmp_path / "torn.jpg"))


def model_of_brightness(file: Path) -> Path:
    """An ONNX file that tells dark photos from bright ones, by the mean of each colour."""
    from onnx import TensorProto, helper, numpy_helper, save

    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, 64, 64])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 2])
    nodes = [
        helper.make_node("GlobalAveragePool", ["pixels"], ["means"]),
        helper.make_node("Flatten", ["means"], ["features"]),
        helper.make_node("Gemm", ["features", "head", "bias"], ["logits"], transB=1),
    ]
    head = np.array([[-1, -1, -1], [1, 1, 1]], np.float32)
    made = [numpy_helper.from_array(array, name) for name, array in (("head", head), ("bias", np.zeros(2, np.float32)))]
    graph = helper.make_graph(nodes, "brightness", [pixels], [logits], made)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file)
    told = {"size": {"height": 64, "width": 64}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    told = {"do_resize": True, "resample": 2, **told}
    (file.parent / "preprocessor_config.json").write_text(json.dumps(told))
    (file.parent / "config.json").write_text(json.dumps({"id2label": {"0": "dark", "1": "bright"}}))
    return file


def test_a_graph_is_explained_by_covering(tmp_path):
    """It has no gradients. What is bright speaks for a bright photo."""
    model = hs.load(model_of_brightness(tmp_path / "model.onnx"))
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[40:56, 8:24] = 255
    found = model.explain(pixels, "bright")
    assert "by covering" in found.notes[0]
    row, column = np.unravel_index(int(found.map.argmax()), found.map.shape)
    assert 36 <= row < 60
    assert 4 <= column < 28


def test_every_photo_model_of_the_catalog_names_its_layer():
    for card in catalog.cards():
        assert bool(card.layer) == (card.kind == "image")
        assert catalog.layer_of(card.architecture) == (card.layer or None)  # models of one architecture share it


def test_neighbours_are_the_nearest_first():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(500, 16)).astype(np.float32)
    where = [f"photo {row}" for row in range(500)]
    reference = Reference(features, where, ["a"] * 500)
    found = neighbours(3 * features[7], reference, 4)
    cosines = features @ features[7] / np.linalg.norm(features, axis=1) / np.linalg.norm(features[7])
    assert [near.where for near in found] == [where[row] for row in np.argsort(-cosines)[:4]]
    assert found[0].to_json() == {"where": "photo 7", "label": "a", "similarity": 1.0}
    assert neighbours(features[0], Reference(features[:2], where, ["a"] * 2), 4)[1].similarity < 1


def test_what_a_fitted_model_finds_alike_is_what_it_learned_from(photos, tmp_path):
    paths = sorted(str(path) for path in photos.glob("*/*.jpg"))
    model = hs.fit(paths, [path.split("/")[-2] for path in paths], how="probe")
    learned = model.explain(paths[0])
    assert len(learned.neighbours) == 5
    best = learned.neighbours[0]
    if best.where == paths[0]:  # it may be in the test part
        assert best.similarity == pytest.approx(1, abs=1e-3)
    assert best.label in model.classes
    model.save(tmp_path / "saved")
    opened = hs.load(tmp_path / "saved").explain(paths[0])
    assert opened.neighbours == learned.neighbours
    (tmp_path / "saved" / "split.csv").unlink()
    gone = hs.load(tmp_path / "saved").explain(paths[0])
    assert gone.neighbours == ()
    assert "split.csv" in gone.notes[-1]
    assert learned.save(tmp_path / "why") == tmp_path / "why"
    assert {path.name for path in (tmp_path / "why").iterdir()} == {"map.png", "explanation.html", "explanation.json"}
    page = (tmp_path / "why" / "explanation.html").read_text()
    assert page.count("data:image/jpeg") >= 5  # those that are like it
    assert "http" not in page.replace("http-equiv", "")
    with Image.open(tmp_path / "why" / "map.png") as picture, Image.open(paths[0]) as photo:
        assert picture.size == photo.size


def test_photos_are_shown_where_they_still_lie_and_no_other_in_their_place(photos, tmp_path, monkeypatch):
    """Found from where it was fitted, and from elsewhere beside the model; another photo of that name is not shown."""
    hs.fit(photos, how="probe", out=photos.parent / "saved")
    asked = next(photos.glob("*/*.jpg"))
    monkeypatch.chdir(tmp_path)
    near = hs.load(photos.parent / "saved").explain(asked).neighbours
    assert all(isinstance(one.shown, bytes) for one in near)
    mine, other = (
        photos / near[-1].where,
        next(path for path in photos.glob("*/*.jpg") if near[-1].where not in str(path)),
    )
    mine.write_bytes(other.read_bytes())
    again = hs.load(photos.parent / "saved").explain(asked).neighbours
    assert [one.shown != "" for one in again] == [True] * 4 + [False]
    assert [one.where for one in again] == [one.where for one in near]


def test_a_stranger_is_called_one_where_it_is_explained(photos, tmp_path):
    model = hs.fit(photos, how="probe", out=tmp_path / "saved")
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    (said,) = model.predict([noise])
    found = model.explain(noise)
    assert said.scope_score is not None
    assert (found.prediction.out_of_scope, found.prediction.scope_score) == (said.out_of_scope, said.scope_score)
    assert found.to_json()["prediction"]["scope_score"] == said.scope_score
