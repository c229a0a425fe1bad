"""What fine-tuning stands on: models that can be trained and those that cannot, the frozen trunk and its views."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections import namedtuple
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import headstart as hs
from fits import finished, fitting, killed
from headstart.adapt.bodies import VIEWS, Body, ImageBodies
from headstart.adapt.resume import open_journal
from headstart.data import check, read
from headstart.encode.store import tables
from headstart.errors import ModelError
from headstart.pretrained import load
from headstart.pretrained.training import open_for_training
from headstart.progress import Silent
from headstart.tuning import keep, rate, settle
from small_models import small_image_model, small_text_model
from test_onnx import SIDECAR, export


class Steps(Silent):
    """Which steps a fit came to."""

    def __init__(self) -> None:
        self.names: list[str] = []

    @contextmanager
    def step(self, name, total=None, *, unit="examples"):
        self.names.append(name)
        yield lambda _: None


@pytest.fixture
def graph(tmp_path) -> str:
    """An ONNX file whose features are an image's mean colours, in squares."""
    file = tmp_path / "model.onnx"
    export(torch.nn.Sequential(torch.nn.AvgPool2d(16), torch.nn.Flatten()), file, old=True)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(SIDECAR))
    return str(file)


def pieces(textile: Path, n: int) -> tuple[list[Any], list[str]]:
    """n square pieces of real photos of each of two classes."""
    rng, inputs, labels = np.random.default_rng(0), [], []
    for name in ("global", "nominal"):
        photos = [Image.open(photo).convert("RGB") for photo in sorted((textile / name).glob("*.jpg"))[:20]]
        for i in range(n):
            photo = photos[i % len(photos)]
            left, top = (int(rng.integers(0, side - 96)) for side in photo.size)
            inputs.append(np.asarray(photo.crop((left, top, left + 96, top + 96))))
            labels.append(name)
    return inputs, labels


def test_a_graph_keeps_its_probe_where_others_would_be_tuned(graph, textile):
    """The default command, with as many examples as tuning is tried from."""
    inputs, labels = pieces(textile, 140)
    fitted = hs.fit(inputs, labels, model=graph, test=0.2)
    assert fitted.summary["n_train"] >= 200
    assert fitted.summary["how"] == "probe"
    assert "ONNX model can be used frozen only: the probe is kept" in fitted.summary["why_how"]


@pytest.mark.parametrize("how", ["tune", "full", "lora"])
def test_a_graph_that_is_to_be_tuned_is_refused_before_anything_is_encoded(graph, photos, how):
    told = Steps()
    with pytest.raises(ModelError, match="frozen only"):
        hs.fit(photos, model=graph, how=how, progress=told)
    assert "encode" not in told.names


def test_layers_and_width_of_a_family_with_other_names(tmp_path):
    """XLM has its width under a name of its own, and no layer of its own: attentions, norms and products apart."""
    small_text_model("xlm", tmp_path / "xlm")
    small_text_model("bert", tmp_path / "bert")
    xlm, bert = (load(str(tmp_path / name), kind="text") for name in ("xlm", "bert"))
    assert rate(xlm, how="tune") == rate(bert, how="tune")
    groups = open_for_training(xlm).groups
    assert len(groups) == 4
    for number, group in enumerate(groups[1:]):
        assert {name.split(".")[1] for name in group} == {"attentions", "layer_norm1", "ffns", "layer_norm2"}
        assert all(f".{number}." in name for name in group)


def test_layers_within_blocks(tmp_path):
    """T5 numbers the two halves of each block too."""
    from headstart.pretrained.from_transformers import AutoConfig, AutoModel

    small_text_model("bert", tmp_path / "bert")
    config = AutoConfig.for_model("t5", d_model=32, d_kv=8, d_ff=64, num_layers=3, num_heads=4, vocab_size=20)
    encoder = AutoModel.from_config(config).encoder
    backbone = replace(
        load(str(tmp_path / "bert"), kind="text"), module=lambda: torch.nn.ModuleDict({"encoder": encoder})
    )
    groups = open_for_training(backbone).groups
    assert [{name.split(".")[2] for name in group if "block" in name} for group in groups[1:]] == [{"0"}, {"1"}, {"2"}]


@pytest.fixture
def opened(photos, tmp_path, own_cache):
    """Makes the bodies of a small random ResNet over 40 photos, as each start of a run does."""
    small_image_model("resnet18", tmp_path / "resnet")
    backbone = load(str(tmp_path / "resnet"), kind="image")
    dataset = check(read(photos))

    def bodies() -> ImageBodies:
        journal = open_journal("run")
        return ImageBodies(
            open_for_training(backbone),
            backbone,
            dataset.inputs,
            dataset.checked_digests,
            mirror=lambda: True,
            journal=journal,
            precision="f32",
        )

    return bodies


@pytest.fixture
def disk(monkeypatch):
    """Says how many bytes are free, whatever there are."""
    usage = namedtuple("usage", ("total", "used", "free"))

    def free(number: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(2 * number, number, number))

    return free


VIEW = 2 * 40 * 256 * 4 * 4  # bytes of a view of all photos below the last stage; below the one before, twice that


def views_of(body: Body) -> int:
    """That are stored; 0: none, and the whole model is trained."""
    if not body.stored:
        return 0
    return body.plain.views if body.varied is None else body.varied().views


def test_as_many_views_as_the_disk_has_room_for(opened, disk):
    """A quarter of what is free is for all depths together, and each view of a photo is there once."""
    disk(4 * 7 * VIEW)
    bodies = opened()
    assert [views_of(bodies.at(depth)) for depth in (1, 2, 3)] == [VIEWS, 1, 0]
    kept = {(table.about, table.rows) for table in tables() if " below " in table.about}
    assert sorted(rows for _, rows in kept) == [40, 40 * VIEWS]
    shown = bodies.at(1).varied().take(np.arange(40))
    plain = bodies.at(1).plain
    for row in range(4):  # in the epoch in which its plain view is due
        ((_, (as_is,)),) = plain.parts(np.array([row]), epoch=0)
        ((_, (varied,)),) = shown.parts(np.array([row]), epoch=VIEWS - row)
        ((_, (other,)),) = shown.parts(np.array([row]), epoch=VIEWS - row + 1)
        assert torch.equal(as_is, varied)
        assert not torch.equal(as_is, other)


def test_a_run_that_is_taken_up_again_has_the_views_that_it_had(opened, disk):
    """What it stored itself leaves less room than there was."""
    disk(4 * 7 * VIEW)
    views = [views_of(opened().at(depth)) for depth in (1, 2, 3)]
    disk(4 * VIEW)
    assert [views_of(opened().at(depth)) for depth in (3, 2, 1)] == views[::-1]


def test_no_more_than_the_bound_where_the_disk_is_large(opened, disk, monkeypatch):
    monkeypatch.setattr("headstart.adapt.bodies._DISK", 6 * VIEW)
    disk(10**13)
    bodies = opened()
    assert [views_of(bodies.at(depth)) for depth in (2, 1)] == [3, 0]


def test_two_equal_fits_at_once_do_not_disturb_each_other(few_texts, tmp_path, own_cache):
    """The second one comes while the first is in the middle of training, and is done before it goes on."""
    data, model = few_texts
    first = fitting(data, model, tmp_path / "a", seconds_lost=9)
    while first.poll() is None and not list(own_cache.glob("runs/*/trial-*.safetensors")):
        time.sleep(0.001)
    first.send_signal(signal.SIGSTOP)
    try:
        begun = {file: file.read_bytes() for file in own_cache.glob("runs/*/*.safetensors")}
        second = finished(fitting(data, model, tmp_path / "b", seconds_lost=9))
        assert all(file.read_bytes() == content for file, content in begun.items())
    finally:
        first.send_signal(signal.SIGCONT)
    assert finished(first)["how"] == second["how"] == "tune"
    assert not list(own_cache.glob("runs/*"))
    assert not list(own_cache.glob("tuned/*"))
    for name in ("a", "b"):
        assert hs.load(tmp_path / name).predict(["Where is my card?"])[0].label


def test_equal_tuned_weights_are_kept_apart(few_texts, own_cache, tmp_path):
    """Equal fits end in equal bytes; one that is saved takes no weights from another that is not yet."""
    backbone = load(str(few_texts[1]), kind="text")
    first, second = (keep(backbone, backbone.module()) for _ in range(2))
    assert first.weights_hash == second.weights_hash
    settle(first, tmp_path)
    assert not first.weights.exists()
    assert second.weights.exists()
    second.module()


def test_the_cache_shows_what_killed_fits_left_and_makes_room(few_texts, tmp_path, own_cache, command):
    data, model = few_texts
    killed(fitting(data, model, tmp_path / "out", "--budget", "10m"), own_cache, "trial-*@*")
    backbone = load(str(model), kind="text")
    kept = keep(backbone, backbone.module())
    journal = open_journal("another")
    journal.once("scheme", lambda: {"steps": 3})
    told = json.loads(command("cache", "--json")[1])
    in_use = {fit["key"].split("/")[0]: [] for fit in told["fits"]}
    for fit in told["fits"]:
        assert fit["bytes"] > 0
        in_use[fit["key"].split("/")[0]].append(fit["in_use"])
    assert {room: sorted(those) for room, those in in_use.items()} == {"runs": [False, True], "tuned": [True]}
    told = json.loads(command("cache", "--prune", "0", "--json")[1])
    assert any("not finished" in gone["about"] for gone in told["removed"])
    assert kept.weights.exists()
    assert [path.name for path in own_cache.glob("runs/*") if path.is_dir()] == ["another"]
    assert not told["tables"]
    assert "a fit that goes on" in command("cache")[1]
    journal.release()
    told = json.loads(command("cache", "--prune", "0", "--json")[1])
    assert [gone["key"] for gone in told["removed"]] == ["runs/another"]


def test_a_journal_is_taken_up_again_where_it_was_left(own_cache):
    """The second of two equal runs too, when the first is done."""
    first, second = open_journal("run"), open_journal("run")
    assert first.folder != second.folder
    first.once("scheme", lambda: 1)
    second.once("scheme", lambda: 2)
    first.remove()
    second.release()
    again = open_journal("run")
    assert again.once("scheme", lambda: 3) == 2
    again.remove()
    again.remove()
    assert not list(own_cache.glob("runs/*"))
