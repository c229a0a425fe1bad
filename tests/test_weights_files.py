"""Weights files of torchvision and Keras, against the forward of the library that wrote them, with random weights."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

os.environ["KERAS_BACKEND"] = "torch"  # before keras is imported

from headstart.errors import ModelError
from headstart.pretrained import from_keras, from_torchvision
from headstart.pretrained.load import load, load_classifier

torchvision = from_torchvision.torchvision

TORCHVISION = ["vgg11_bn", "resnet18", "resnet50", "resnext50_32x4d", "densenet121", "mobilenet_v2", "inception_v3"]


def random_statistics(model: torch.nn.Module) -> torch.nn.Module:
    """Layers that carry an image through, and BatchNorm whose numbers would be missed if they went astray."""
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.7, 1.3)
            torch.nn.init.uniform_(module.weight, 0.8, 1.2)
            torch.nn.init.uniform_(module.bias, -0.1, 0.1)
    return model.eval()


def of_torchvision(name: str, **arguments) -> torch.nn.Module:
    torch.manual_seed(0)
    if name == "inception_v3":
        arguments |= {"init_weights": False}
    return random_statistics(torchvision.models.get_model(name, weights=None, **arguments))


def forward(model: torch.nn.Module, pixels: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """torchvision's own: what goes into its last linear layer, and what comes out."""
    last = [
        module for name, module in model.named_modules() if isinstance(module, torch.nn.Linear) and "Aux" not in name
    ]
    seen = []
    hook = last[-1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        logits = model(pixels)
    hook.remove()
    return seen[0].numpy(), logits.numpy()


def close(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.shape == theirs.shape
    scale = float(np.abs(theirs).max())
    assert float(np.abs(theirs[0] - theirs[1]).max()) > 0.01 * scale  # two images, told apart
    assert float(np.abs(ours - theirs).max()) <= 1e-5 * scale


def photos_of(side: int) -> np.ndarray:
    """Two images, (2, side, side, 3) uint8."""
    coarse = np.random.default_rng(1).integers(0, 255, (2, 8, 8, 3), np.uint8)
    return np.stack([np.asarray(Image.fromarray(c).resize((side, side), Image.Resampling.BILINEAR)) for c in coarse])


def ours_on(file, images: np.ndarray, *, classified: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
    """Features and logits of the file, opened as a user would; the images are normalised as the backbone says."""
    backbone = load(str(file), kind="image")
    mean, std = (
        torch.tensor(v, dtype=torch.float32).view(3, 1, 1)
        for v in (backbone.preparation.mean, backbone.preparation.std)
    )
    pixels = (torch.from_numpy(images).permute(0, 3, 1, 2).float() - 255 * mean) / (255 * std)
    with torch.inference_mode():
        features = backbone.module()(pixels).numpy()
    assert features.shape == (len(images), backbone.width)
    if not classified:
        with pytest.raises(ModelError, match="no classes of its own"):
            load_classifier(str(file))
        return features, None
    _, classifier = load_classifier(str(file))
    return features, features @ classifier.weight.T + classifier.bias


def imagenet(images: np.ndarray) -> torch.Tensor:
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    return (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 - mean) / std


@pytest.mark.check
@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision(name, tmp_path, own_cache):
    model = of_torchvision(name)
    if name == "inception_v3":
        model.transform_input = True  # as torchvision sets it where it loads weights
    torch.save(model.state_dict(), tmp_path / "model.pth")
    images = photos_of(224 if name.startswith("vgg") else 96)
    features, logits = forward(model, imagenet(images))
    ours, ours_logits = ours_on(tmp_path / "model.pth", images)
    close(ours, features)
    close(ours_logits, logits)


@pytest.mark.check
def test_torchvision_vgg16(tmp_path, own_cache):
    model = of_torchvision("vgg16")
    torch.save(model.state_dict(), tmp_path / "model.pth")
    images = photos_of(224)
    features, logits = forward(model, imagenet(images))
    ours, ours_logits = ours_on(tmp_path / "model.pth", images)
    close(ours, features)
    close(ours_logits, logits)
    backbone = load(str(tmp_path / "model.pth"), kind="image")
    assert (backbone.architecture, backbone.width, backbone.preparation.crop) == ("vgg16", 4096, pytest.approx(0.875))
    assert backbone.preparation.interpolation == "bilinear"


def test_torchvision_old_file(tmp_path, own_cache):
    """Before torch 0.4.1: `norm.1` in DenseNet, and BatchNorm without counters; own classes."""
    import re

    model = of_torchvision("densenet121", num_classes=5)
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)\.", r"\1.\2.", k): v for k, v in model.state_dict().items()}
    old = {k: v for k, v in old.items() if "num_batches" not in k}
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    images = photos_of(64)
    features, logits = forward(model, imagenet(images))
    ours, ours_logits = ours_on(tmp_path / "old.pth", images)
    close(ours, features)
    close(ours_logits, logits)


def test_torchvision_architectures_are_told_apart(tmp_path):
    for name in ("resnet34", "resnet101", "wide_resnet50_2", "densenet169", "vgg13"):
        with torch.device("meta"):
            shapes = {k: v.shape for k, v in torchvision.models.get_model(name, weights=None).state_dict().items()}
        state = {k: torch.zeros(()).expand(shape) for k, shape in shapes.items()}  # one number each, on disk too
        torch.save(state, tmp_path / f"{name[:3]}.pth")
        assert from_torchvision.translate(tmp_path / f"{name[:3]}.pth").architecture == name


@pytest.fixture(scope="module")
def resnet18(tmp_path_factory):
    file = tmp_path_factory.mktemp("resnet18") / "model.pth"
    torch.save(of_torchvision("resnet18").state_dict(), file)
    return file


def refused(file, *words, architecture=None):
    with pytest.raises(ModelError) as raised:
        (from_keras if file.suffix == ".h5" else from_torchvision).translate(file, architecture=architecture)
    text = str(raised.value)
    assert str(file) in text
    assert len(text.splitlines()) <= 2
    for word in words:
        assert word in text
    return text


def test_wrong_and_partial_files(resnet18, tmp_path):
    file, whole = tmp_path / "model.pth", torch.load(resnet18, weights_only=True)
    refused(resnet18, "those of resnet18, not of vgg16", architecture="vgg16")
    refused(resnet18, "timm has no architecture 'resnet_9'", architecture="resnet_9")
    torch.save({k: v for k, v in whole.items() if not k.startswith("layer4.1")}, file)
    refused(file, "do not fit resnet18", "10 of 122 tensors are missing", "'layer4.1.conv1.weight'")
    torch.save({**whole, "conv1.weight": torch.zeros(64, 1, 7, 7)}, file)
    refused(file, "'conv1.weight': (64, 1, 7, 7) instead of (64, 3, 7, 7)")
    torch.save({**whole, "extra.weight": torch.zeros(3)}, file)
    refused(file, "1 belong to another model, first 'extra.weight'")
    torch.save({**whole, "conv1.weight": torch.full((64, 3, 7, 7), float("nan"))}, file)
    refused(file, "no numbers", "'conv1.weight'")
    torch.save({"encoder.weight": torch.zeros(3)}, file)
    refused(file, "encoder.weight", "1 tensors")
    torch.save({"state_dict": object.__name__}, file)
    refused(file, "its 'state_dict' is a str", "save model.state_dict()")
    torch.save({k: v for k, v in whole.items() if k != "fc.bias"}, file)
    refused(file, "'fc.bias'")


@pytest.mark.parametrize("zipped", [True, False])
def test_damaged_torch_files(resnet18, tmp_path, zipped):
    file = tmp_path / "model.pth"
    torch.save(torch.load(resnet18, weights_only=True), file, _use_new_zipfile_serialization=zipped)
    content = file.read_bytes()
    for length in (0, 1, 20, 1000, len(content) // 2, len(content) - 1):
        file.write_bytes(content[:length])
        refused(file, "damaged")
    file.write_bytes(b"<html>not found</html>" * 20)
    refused(file, "not a plain file of weights: an object, or another format")


class Payload:
    """Unpickled, this runs a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("zipped", [True, False])
def test_malicious_pickle_is_refused_and_not_run(tmp_path, zipped, own_cache):
    trace, file = tmp_path / "ran", tmp_path / "model.pth"
    command = f"\"{sys.executable}\" -c \"open(r'{trace}', 'w')\""
    torch.save({"conv1.weight": Payload(command)}, file, _use_new_zipfile_serialization=zipped)
    torch.load(file, weights_only=False)  # it is a real one
    assert trace.exists()
    trace.unlink()
    refused(file, "would run code", ".safetensors")
    with pytest.raises(ModelError, match="would run code"):
        load(str(file), kind="image")
    shutil.copy(file, tmp_path / "resnet18.bin")
    with pytest.raises(ModelError, match="would run code"):
        load(str(tmp_path / "resnet18.bin"), kind="image")
    assert not trace.exists()


# Keras


def of_keras(name: str, *, top: bool, side: int):
    import keras

    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(
        weights=None,
        include_top=top,
        input_shape=(side, side, 3),
        **({"classifier_activation": None} if top else {"pooling": "avg"}),
    )
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            low_high = ((0.8, 1.2), (-0.1, 0.1), (-0.1, 0.1), (2e-6, 2e-5) if layer.name == "conv1_bn" else (0.7, 1.3))
            layer.set_weights(
                [rng.uniform(*ends, w.shape) for ends, w in zip(low_high, layer.get_weights(), strict=True)]
            )
        elif layer.weights and layer.use_bias:
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, rng.uniform(-0.1, 0.1, bias.shape)])
    return model


def write(model, folder, layout: str):
    """In the layout of the published files, as model.save does, or as Keras 3's save_weights."""
    import h5py

    file = folder / "model.h5"
    if layout == "weights":
        model.save_weights(folder / "m.weights.h5")
        return folder / "m.weights.h5"
    if layout == "model":
        model.save(file)
        return file
    with h5py.File(file, "w") as out:
        out.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        for layer in model.layers:
            group = out.create_group(layer.name)
            names = [f"{layer.name}_W_{i}:0" for i in range(len(layer.weights))]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, value in zip(names, layer.get_weights(), strict=True):
                group.create_dataset(name, data=value)
    return file


def keras_features(model, images: np.ndarray, *, caffe, top: bool) -> tuple[np.ndarray, np.ndarray | None]:
    import keras

    prepared = caffe.preprocess_input(images.astype(np.float32))
    if not top:
        return model.predict(prepared, verbose=0), None
    both = keras.Model(model.inputs, [model.layers[-2].output, model.output])
    features, logits = both.predict(prepared, verbose=0)
    return features, logits


@pytest.mark.check
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "top", "side", "layout"),
    [
        ("VGG16", True, 224, "published"),
        ("VGG16", False, 64, "published"),
        ("VGG19", False, 64, "weights"),
        ("ResNet50", True, 96, "published"),
        ("ResNet50", False, 64, "published"),
        ("ResNet50", False, 64, "model"),
        ("ResNet50", True, 64, "weights"),
        ("ResNet101", False, 64, "published"),
    ],
)
def test_keras(name, top, side, layout, tmp_path, own_cache):
    import keras

    model = of_keras(name, top=top, side=side)
    file, images = write(model, tmp_path, layout), photos_of(side)
    caffe = keras.applications.vgg16 if name.startswith("VGG") else keras.applications.resnet
    features, logits = keras_features(model, images, caffe=caffe, top=top)
    ours, ours_logits = ours_on(file, images, classified=top)
    close(ours, features)
    assert (ours_logits is None) == (logits is None)
    if logits is not None:
        close(ours_logits, logits)


@pytest.mark.filterwarnings("ignore")
def test_wrong_keras_files(tmp_path):
    import h5py
    import keras

    file = tmp_path / "model.h5"
    write(of_keras("VGG16", top=False, side=32), tmp_path, "published")
    refused(file, "of vgg16, not of resnet50", architecture="resnet50")
    content = file.read_bytes()
    with h5py.File(file, "r+") as inside:
        del inside["block3_conv2/block3_conv2_W_0:0"]
    refused(file, "not a whole HDF5 file")
    for length in (0, 100, len(content) // 2, len(content) - 1):
        file.write_bytes(content[:length])
        refused(file, "not a whole HDF5 file")
    small = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="only")])
    write(small, tmp_path, "published")
    refused(file, "belong to another model, first 'only'")
    write(of_keras("ResNet50V2", top=False, side=32), tmp_path, "published")
    refused(file, "closest is resnet50", "belong to another model", "preact")
    with h5py.File(file, "w"):
        pass
    refused(file, "no layers")


def test_without_h5py_the_extra_is_named(tmp_path):
    """Where h5py is not installed (hidden from a process of its own)."""
    file = tmp_path / "model.h5"
    file.write_bytes(b"x")
    code = (
        "import sys; sys.modules['h5py'] = None\n"
        "from pathlib import Path\n"
        "from headstart.pretrained import from_keras\n"
        "from headstart.errors import ModelError\n"
        "try:\n    from_keras.translate(Path(sys.argv[1]))\n"
        "except ModelError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True)
    assert "pip install headstart[keras]" in done.stdout
