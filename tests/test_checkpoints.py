"""Checkpoints of other people's training scripts: the weights in them, or words that say why not."""

from __future__ import annotations

import argparse
import pathlib

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from headstart.errors import ModelError
from headstart.pretrained import catalog
from headstart.pretrained.from_timm import timm
from headstart.pretrained.load import load, load_classifier
from headstart.pretrained.weights import open_torch_file


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return timm.create_model("resnet10t", num_classes=3).state_dict()


def below(prefix, state):
    return {prefix + name: tensor for name, tensor in state.items()}


def other(state):
    return {name: tensor + 1 for name, tensor in state.items()}


CHECKPOINTS = {
    "timm.pth.tar": lambda s: {"arch": "resnet10t", "state_dict": s, "args": argparse.Namespace(lr=0.1), "epoch": 3},
    "averaged.pth": lambda s: {"state_dict": other(s), "state_dict_ema": s, "metric": np.float64(0.5)},
    "reference.pth": lambda s: {"model": below("module.", s), "args": argparse.Namespace(out=pathlib.Path("runs"))},
    "reference_ema.pth": lambda s: {
        "model": other(s),
        "model_ema": {**below("module.", s), "n_averaged": torch.ones(1)},
    },
    "lightning.ckpt": lambda s: {"state_dict": {**below("model.", s), "criterion.weight": torch.ones(3)}, "loops": {}},
    "backbone.ckpt": lambda s: {"state_dict": below("net.backbone.", s), "callbacks": {"best": torch.ones(1)}},
    "compiled.pth": lambda s: below("_orig_mod.module.", s),
    "keras_like.pt": lambda s: {"model_state_dict": s, "optimizer_state_dict": {"state": {}, "param_groups": []}},
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_the_weights_of_a_checkpoint(name, state, tmp_path, own_cache):
    torch.save(CHECKPOINTS[name](state), tmp_path / name)
    torch.save(state, tmp_path / "plain.pth")
    backbone, classifier = load_classifier(f"resnet10t={tmp_path / name}")
    expected, expected_head = load_classifier(f"resnet10t={tmp_path / 'plain.pth'}")
    assert backbone.weights_hash == expected.weights_hash
    assert (classifier.weight == expected_head.weight).all()


def test_a_safetensors_file_of_a_wrapped_model(state, tmp_path, own_cache):
    save_file(
        {name: tensor.contiguous() for name, tensor in below("module.", state).items()}, tmp_path / "a.safetensors"
    )
    torch.save(state, tmp_path / "plain.pth")
    names = [f"resnet10t={tmp_path / name}" for name in ("a.safetensors", "plain.pth")]
    assert len({load(name, kind="image").weights_hash for name in names}) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            lambda s: {"student": s, "teacher": s, "epoch": 1},
            ["which is the model", "'student', 'teacher'"],
        ),
        (lambda s: {**below("model.", s), **below("backbone.", other(s))}, ["two models in one file", "'model.'"]),
        (lambda s: {"model": torch.nn.Linear(2, 2)}, ["would run code (torch.nn.modules.linear.Linear)", "state_dict"]),
        (lambda s: {"model": 3}, ["its 'model' is a int", "model.state_dict()"]),
        (lambda s: [s], ["not a state dict"]),
    ],
)
def test_what_is_no_one_model_is_refused(content, words, state, tmp_path, own_cache):
    torch.save(content(state), tmp_path / "a.pth")
    with pytest.raises(ModelError) as raised:
        load(f"resnet10t={tmp_path / 'a.pth'}", kind="image")
    assert [word for word in words if word not in str(raised.value)] == []
    assert len(str(raised.value).splitlines()) <= 2


def foreign(name):
    """As somebody else calls the layers."""
    return name.replace("layer", "stage_").replace("conv", "convolution_").replace("bn", "norm_").replace("fc", "out")


def swapped(pairs):
    """Each BatchNorm's bias before its weight."""
    pairs = list(pairs)
    for i in range(len(pairs) - 1):
        if pairs[i][0].endswith("weight") and pairs[i + 1][0] == pairs[i][0].replace("weight", "bias"):
            pairs[i], pairs[i + 1] = pairs[i + 1], pairs[i]
    return pairs


def test_foreign_names_in_timms_order(state, tmp_path, own_cache):
    """The shapes of a BatchNorm's numbers are all one: what the names say of them must be the same."""
    torch.save({foreign(name): tensor for name, tensor in state.items()}, tmp_path / "a.pth")
    torch.save(state, tmp_path / "plain.pth")
    names = [f"resnet10t={tmp_path / name}" for name in ("a.pth", "plain.pth")]
    assert len({load(name, kind="image").weights_hash for name in names}) == 1


@pytest.mark.parametrize(
    "renamed",
    [
        lambda s: dict(swapped((foreign(name), tensor) for name, tensor in s.items())),
        lambda s: {foreign(name).replace("weight", "gamma"): tensor for name, tensor in s.items()},
        lambda s: {f"{number:04}.weight": tensor for number, tensor in enumerate(s.values())},
        lambda s: {name.replace("bn1", "x").replace("bn2", "bn1").replace("x", "bn2"): t for name, t in s.items()},
    ],
    ids=["swapped", "other words", "numbers", "layers that changed places"],
)
def test_an_order_with_two_readings_is_refused(renamed, state, tmp_path, own_cache):
    torch.save({f"m_{name}": tensor for name, tensor in renamed(state).items()}, tmp_path / "a.pth")
    with pytest.raises(ModelError, match="their order does not say which is which"):
        load(f"resnet10t={tmp_path / 'a.pth'}", kind="image")


def test_sorted_names_are_no_order(state, tmp_path, own_cache):
    tensors = {f"x.{foreign(name)}": tensor.contiguous() for name, tensor in state.items()}
    save_file(tensors, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match=r"do not fit|does not say which"):
        load(f"resnet10t={tmp_path / 'a.safetensors'}", kind="image")


PACKAGED = [card for card in catalog.cards() if card.kind == "image" and card.package and card.path is not None]
LITES = [card for card in PACKAGED if card.architecture.startswith("tf_efficientnet_lite")]
SEEN = (  # on the two photos that come with scikit-learn, in ImageNet's words
    {"palace", "monastery", "bell cote", "castle", "church", "boathouse"},
    {"daisy", "bee", "honeycomb", "mushroom", "sea anemone"},
)


def sure_of_what_is_there(architecture, tensors):
    """The mean probability of the classes seen, on pieces of two photos, as timm prepares them."""
    info, photos = timm.data.ImageNetInfo("imagenet-1k"), pytest.importorskip("sklearn.datasets").load_sample_images()
    model = timm.create_model(architecture).eval()
    model.load_state_dict(dict(zip(model.state_dict(), tensors, strict=True)))
    transform = timm.data.create_transform(**timm.data.resolve_data_config({}, model=model))
    found = []
    for photo, seen in zip(photos.images, SEEN, strict=True):
        classes = [i for i in range(1000) if info.index_to_description(i).split(", ")[0] in seen]
        corners = [(x, y) for x in (0, 110, 220) for y in (0, 7)]
        pieces = [Image.fromarray(photo[y : y + 420, x : x + 420]) for x, y in corners]
        with torch.inference_mode():
            found.append(
                model(torch.stack([transform(piece) for piece in pieces])).softmax(-1)[:, classes].sum(1).mean()
            )
    return float(sum(found) / len(found))


@pytest.mark.parametrize("card", LITES, ids=lambda card: card.name)
def test_packaged_weights_are_of_the_architecture_that_the_catalog_names(card):
    """The tensors fit another one as well, which pads otherwise and is three points worse: real photos tell."""
    tensors = list(open_torch_file(card.path).values())
    other = card.architecture.removeprefix("tf_")
    ours, theirs = (sure_of_what_is_there(architecture, tensors) for architecture in (card.architecture, other))
    assert ours > 1.15 * theirs
    assert ours > 0.2


def test_packaged_weights_under_another_architecture_are_refused():
    card = PACKAGED[0]
    with pytest.raises(ModelError, match="trained as tf_efficientnet_lite0, not as efficientnet_lite0") as raised:
        load(f"efficientnet_lite0={card.path}", kind="image")
    assert raised.value.fix == "model efficientnet_lite0"
    assert len(open_torch_file(card.path)) == 296


def test_a_head_beside_its_backbone_is_the_model_s(state, tmp_path, own_cache):
    """As mmpretrain saves them."""
    inner = {name: tensor for name, tensor in state.items() if not name.startswith("fc.")}
    head = {name.replace("fc.", "head.fc."): tensor for name, tensor in state.items() if name.startswith("fc.")}
    torch.save({"meta": {}, "state_dict": {**below("backbone.", inner), **head}}, tmp_path / "a.pth")
    _, classifier = load_classifier(f"resnet10t={tmp_path / 'a.pth'}")
    np.testing.assert_array_equal(classifier.weight, state["fc.weight"].numpy())


@pytest.mark.parametrize("name", ["fc.weight", "conv1.0.weight"])
def test_weights_that_are_no_numbers_are_the_file_s(name, state, tmp_path, own_cache):
    torch.save({**state, name: state[name] * float("nan")}, tmp_path / "a.pth")
    with pytest.raises(ModelError, match=f"resnet10t.*values that are no numbers, first '{name}'"):
        load_classifier(f"resnet10t={tmp_path / 'a.pth'}")
