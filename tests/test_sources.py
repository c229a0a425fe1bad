"""Weights from torchvision and Keras, against the libraries that wrote them; files that must be refused."""

from __future__ import annotations

import hashlib
import os
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

import headstart as hs
from headstart.errors import ModelError
from headstart.inputs.image import open_image, prepare
from headstart.pretrained.load import load, load_classifier
from headstart.pretrained.torchvision_operators import declare_missing
from small_models import small_image_model
from test_saved_as_model import refitted

declare_missing()
os.environ.setdefault("KERAS_BACKEND", "torch")
import torchvision  # noqa: E402  (needs the operators first)


def close(ours: np.ndarray, theirs: np.ndarray, tolerance: float = 1e-5) -> None:
    assert ours.shape == theirs.shape
    assert float(np.abs(ours - theirs).max()) <= tolerance * max(1.0, float(np.abs(theirs).max()))


def trained(model: torch.nn.Module) -> torch.nn.Module:
    """Statistics as after training, so that a lost or misplaced one shows."""
    for module in model.modules():
        if getattr(module, "running_mean", None) is not None:
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.8, 1.25)
    return model.eval()


def test_a_published_torchvision_file_brings_its_own_preprocessing_and_its_hash(tmp_path, own_cache):
    torch.manual_seed(0)
    state = torchvision.models.resnet50(weights=None).state_dict()
    torch.save(state, tmp_path / "any")
    digest = hashlib.sha256((tmp_path / "any").read_bytes()).hexdigest()[:8]
    named = tmp_path / f"resnet50-{digest}.pth"
    (tmp_path / "any").rename(named)
    assert load(str(named), kind="image").preparation.crop == pytest.approx(224 / 256)
    wrong = named.with_name("resnet50-11ad3fa6.pth")
    named.rename(wrong)
    with pytest.raises(ModelError, match="sha256 starts with 11ad3fa6"):
        load(str(wrong), kind="image")
    from headstart.pretrained.from_torchvision import translate

    assert translate(wrong).pretrained_cfg["crop_pct"] == pytest.approx(224 / 232)  # its second recipe


def keras_file(model, path) -> None:
    """In the layout of keras.applications: a group a layer, its weights named in attributes."""
    import h5py

    with h5py.File(path, "w") as file:
        layers = [layer for layer in model.layers if layer.weights]
        file.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        for layer in layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{weight.name}:0" for weight in layer.weights]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, weight in zip(names, layer.weights, strict=True):
                group[name] = np.asarray(weight.numpy() if hasattr(weight, "numpy") else weight)


def randomised(model):
    rng = np.random.default_rng(0)
    for layer in model.layers:
        values = layer.get_weights()
        if "bn" in layer.name:
            gamma, beta, mean, _ = values
            values = [gamma, beta, rng.normal(0, 0.1, mean.shape), rng.uniform(0.8, 1.25, mean.shape)]
        elif len(values) == 2:
            values = [values[0], rng.normal(0, 0.05, values[1].shape)]
        layer.set_weights(values)
    return model


@pytest.mark.check
@pytest.mark.parametrize("name", ["ResNet50", "VGG16"])
def test_keras_model_adapts_saves_and_opens_by_its_card(name, photos, tmp_path, own_cache):
    import keras

    from elsewhere import printed_by_the_card

    keras.utils.set_random_seed(0)
    family = keras.applications.vgg16 if name == "VGG16" else keras.applications.resnet
    keras_file(randomised(getattr(family, name)(weights=None, include_top=False)), tmp_path / "weights.h5")
    model = hs.fit(photos, model=f"{name.lower()}={tmp_path / 'weights.h5'}", out=tmp_path / "saved", how="probe")
    photo = min(photos.glob("*/*.jpg"))
    (tmp_path / "photo.jpg").write_bytes(photo.read_bytes())
    label, probability = printed_by_the_card(tmp_path / "saved", tmp_path)
    ours = hs.load(tmp_path / "saved").predict(str(photo))[0]
    assert (label, probability) == (ours.label, pytest.approx(ours.probability, abs=0.02))
    assert ours == model.predict(str(photo))[0]
    refitted(model, photos)  # with its changed layers, which timm's own files beside it say nothing of
    image = Image.open(photo).resize((300, 170))
    image.save(tmp_path / "wide.png")
    theirs = keras.utils.load_img(tmp_path / "wide.png", target_size=(224, 224), interpolation="bilinear")
    np.testing.assert_array_equal(prepare(open_image(image), model.backbone.preparation), np.asarray(theirs))


class Harmful:
    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_a_pickle_that_runs_code_is_refused_and_runs_nothing(tmp_path, own_cache, command):
    touched = tmp_path / "touched"
    for name, content in (("resnet50.pth", {"conv1.weight": Harmful(touched)}), ("resnet50.bin", Harmful(touched))):
        torch.save(content, tmp_path / name)
        code, _, err = command("predict", tmp_path / name, "photo.jpg")
        assert code == 2
        assert "opening it would run code" in err
    (tmp_path / "raw.pth").write_bytes(pickle.dumps(Harmful(touched)))
    assert command("predict", tmp_path / "raw.pth", "photo.jpg")[0] == 2
    assert not touched.exists()


def test_files_that_do_not_fit_say_what_differs(tmp_path, own_cache):
    reference = small_image_model("resnet18", tmp_path / "model")
    whole = torchvision.models.resnet18(weights=None).state_dict()
    cases = {
        "partial": ({k: v for k, v in whole.items() if not k.startswith("layer4.1")}, "missing|known"),
        "shapes": ({**whole, "conv1.weight": torch.zeros(64, 1, 7, 7)}, r"other shape|another shape.*conv1\.weight"),
        "words": ({"a": torch.zeros(2)}, "no model of torchvision's"),
    }
    for name, (state, words) in cases.items():
        torch.save(state, tmp_path / f"{name}.pth")
        with pytest.raises(ModelError, match=words):
            load(str(tmp_path / f"{name}.pth"), kind="image")
    torch.save(whole, tmp_path / "whole.pth")
    with pytest.raises(ModelError, match="those of resnet18, not of resnet50"):
        load(f"resnet50={tmp_path / 'whole.pth'}", kind="image")
    content = (tmp_path / "whole.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match="damaged"):
        load(str(tmp_path / "cut.pth"), kind="image")
    weights = (tmp_path / "model" / "model.safetensors").read_bytes()
    (tmp_path / "resnet18.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(ModelError, match="not a whole safetensors file"):
        load(str(tmp_path / "resnet18.safetensors"), kind="image")
    (tmp_path / "some.h5").write_bytes(b"\x89HDF")
    with pytest.raises(ModelError, match="not a whole HDF5 file"):
        load(str(tmp_path / "some.h5"), kind="image")
    with pytest.raises(ModelError, match="no such file"):
        load("resnet50=nowhere.pth", kind="image")
    assert reference is not None


@pytest.mark.parametrize("ending", ["safetensors", "bin"])
def test_a_loose_file_of_timms(ending, tmp_path, own_cache):
    from safetensors.torch import save_file

    from headstart.pretrained.from_timm import timm

    torch.manual_seed(0)
    reference = trained(timm.create_model("mobilenetv3_small_100"))
    path = tmp_path / f"my-mobilenetv3_small_100.{ending}"
    state = {k: v.contiguous() for k, v in reference.state_dict().items()}
    save_file(state, path) if ending == "safetensors" else torch.save(state, path)
    unnamed = path.rename(tmp_path / f"weights.{ending}")
    with pytest.raises(ModelError, match="no architecture in the file's name"):
        load(str(unnamed), kind="image")
    backbone, own = load_classifier(f"mobilenetv3_small_100={unnamed}")
    x = torch.rand(1, 3, 224, 224)
    with torch.inference_mode():
        close(backbone.module()(x).numpy() @ own.weight.T + own.bias, reference(x).numpy())
    assert own.classes[1] == "goldfish"
