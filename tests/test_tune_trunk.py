"""What fine-tuning stands on: models that can be trained and those that cannot, the frozen trunk and its views."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections import namedtuple
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

import headstart as hs
from fits import finished, fitting, goes_on, halted, killed
from headstart.adapt import checkpoint
from headstart.adapt.basis import fit_basis
from headstart.adapt.checkpoint import Checkpoint, open_checkpoint
from headstart.adapt.cross_validation import fit_probe
from headstart.adapt.flip_check import mirrors_keep_class
from headstart.adapt.rates import rate
from headstart.adapt.trainable_parts import VIEWS, Foresight, ImageParts, TrainablePart
from headstart.adapt.trunk import cut
from headstart.adapt.tuned_weights import keep, settled
from headstart.data.check import check
from headstart.encode.encode import encode
from headstart.encode.store import tables
from headstart.errors import ModelError
from headstart.pretrained.load import load
from headstart.pretrained.training import open_for_training
from headstart.progress import Silent
from headstart.storage.locks import take_lock
from own_clock import TICK, by_looks
from reading import read
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
    from transformers import AutoConfig, AutoModel

    small_text_model("bert", tmp_path / "bert")
    config = AutoConfig.for_model("t5", d_model=32, d_kv=8, d_ff=64, num_layers=3, num_heads=4, vocab_size=20)
    encoder = AutoModel.from_config(config).encoder
    backbone = replace(
        load(str(tmp_path / "bert"), kind="text"), module=lambda: torch.nn.ModuleDict({"encoder": encoder})
    )
    groups = open_for_training(backbone).groups
    assert [{name.split(".")[2] for name in group if "block" in name} for group in groups[1:]] == [{"0"}, {"1"}, {"2"}]


@pytest.fixture
def opened(photos, tmp_path, own_cache, on_a_cpu):
    """Makes the bodies of a small random ResNet over 40 photos, as each start of a run does; on a CPU."""
    small_image_model("resnet18", tmp_path / "resnet")
    backbone = load(str(tmp_path / "resnet"), kind="image")
    dataset = check(read(photos))

    starts: list[Checkpoint] = []

    def bodies() -> ImageParts:
        for before in starts:  # as the end of its process does
            before.release()
        checkpoint = open_checkpoint("run")
        starts.append(checkpoint)
        return ImageParts(
            open_for_training(backbone),
            backbone,
            dataset.inputs,
            dataset.checked_digests,
            mirror=lambda: True,
            checkpoint=checkpoint,
            exact=True,
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


def views_of(body: TrainablePart) -> int:
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


def stored() -> int:
    return sum(table.rows for table in tables() if " below " in table.about)


def test_running_the_frozen_layers_can_be_ended_and_goes_on(opened):
    asked: list[float] = []

    def twice(rest: float) -> bool:
        asked.append(rest)
        return len(asked) <= 2

    assert not opened().prepare(1, varied=False, go_on=twice)
    begun = stored()
    assert 0 < begun < 40
    assert opened().prepare(1, varied=False, go_on=lambda rest: True)
    assert stored() == 40
    assert opened().prepare(1, varied=True, go_on=lambda rest: True)
    assert stored() == 40 * VIEWS
    refused = lambda rest: False  # noqa: E731
    assert opened().prepare(1, varied=True, go_on=refused)  # nothing is left to be done
    assert not opened().prepare(2, varied=False, go_on=refused)


def test_what_the_rest_takes_is_foreseen():
    """From the second batch on: the first one prepares the engine."""
    now, rests = [0.0], []
    foresight = Foresight(200, lambda rest: rests.append(rest) is None, clock=lambda: now[0])
    for second, more in [(0, 20), (30, 16), (31, 16), (32, 16), (33, 16), (34, 116)]:
        now[0] = second
        foresight(more)
    assert rests == [0, 0, 0, (200 - 68) * 2 / 32, (200 - 84) * 3 / 48]


def test_no_more_than_the_bound_where_the_disk_is_large(opened, disk, monkeypatch):
    monkeypatch.setattr("headstart.adapt.trainable_parts._DISK", 6 * VIEW)
    disk(10**13)
    bodies = opened()
    assert [views_of(bodies.at(depth)) for depth in (2, 1)] == [3, 0]


@pytest.mark.check
def test_two_equal_fits_at_once_do_not_disturb_each_other(few_texts, tmp_path, own_cache):
    """The second one comes while the first is in the middle of training, and is done before it goes on."""
    data, model = few_texts
    first = halted(fitting(data, model, tmp_path / "a", seconds_lost=9, halts="wrote trial-*.safetensors"))
    try:
        begun = {file: file.read_bytes() for file in own_cache.glob("runs/*/*.safetensors")}
        assert begun
        second = finished(fitting(data, model, tmp_path / "b", seconds_lost=9))
        assert all(file.read_bytes() == content for file, content in begun.items())
    finally:
        goes_on(first)
    assert finished(first)["how"] == second["how"] == "tune"
    assert not list(own_cache.glob("runs/*"))
    assert not list(own_cache.glob("tuned/*"))
    for name in ("a", "b"):
        assert hs.load(tmp_path / name).predict(["Where is my card?"])[0].label


def test_equal_tuned_weights_are_kept_apart(few_texts, own_cache, tmp_path):
    """Equal fits end in equal bytes; one that is saved takes no weights from another that is not yet."""
    backbone = load(str(few_texts[1]), kind="text")
    first, second = (keep(backbone, backbone.module(), open_checkpoint(name)) for name in ("one", "another"))
    assert first.weights_hash == second.weights_hash
    settled(first, tmp_path)
    assert not first.weights.exists()
    assert second.weights.exists()
    second.module()


@pytest.mark.check
def test_the_cache_shows_what_killed_fits_left_and_makes_room(few_texts, tmp_path, own_cache, command):
    data, model = few_texts
    killed(fitting(data, model, tmp_path / "out", "--budget", "10m", halts="wrote trial-*@*"))
    backbone = load(str(model), kind="text")
    checkpoint = open_checkpoint("a" * 24)
    kept = keep(backbone, backbone.module(), checkpoint)
    checkpoint.decide_once("scheme", lambda: {"steps": 3})
    told = json.loads(command("cache", "--json")[1])
    in_use = {fit["key"].split("/")[0]: [] for fit in told["fits"]}
    for fit in told["fits"]:
        assert fit["bytes"] > 0
        in_use[fit["key"].split("/")[0]].append(fit["in_use"])
    assert {room: sorted(those) for room, those in in_use.items()} == {"runs": [False, True], "tuned": [True]}
    told = json.loads(command("cache", "--prune", "0", "--json")[1])
    assert any("can go on" in gone["about"] for gone in told["removed"])
    assert kept.weights.exists()
    assert [path.name for path in own_cache.glob("runs/*") if path.is_dir()] == ["a" * 24]
    assert not told["tables"]
    assert "a fit that goes on" in command("cache")[1]
    checkpoint.release()
    told = json.loads(command("cache", "--prune", "0", "--json")[1])
    assert [gone["key"] for gone in told["removed"]] == [f"runs/{'a' * 24}"]


def test_where_no_journal_can_be_made_a_live_equal_run_keeps_its_own(own_cache, monkeypatch):
    first = open_checkpoint("c" * 24)
    first.decide_once("scheme", lambda: {"steps": 3})
    whole = Path.mkdir

    def full(folder, *arguments, **options):
        if folder.name.startswith("c"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
        whole(folder, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", full)
        second = open_checkpoint("c" * 24)
    assert second.decide_once("scheme", lambda: {"steps": 4}) == {"steps": 4}
    second.remove()
    assert first.decide_once("scheme", lambda: {"steps": 5}) == {"steps": 3}
    assert [path.name for path in own_cache.glob("runs/*") if path.is_dir()] == ["c" * 24]


def test_who_only_looks_at_a_run_does_not_keep_it_from_going_on(own_cache, monkeypatch):
    left = open_checkpoint("d" * 24)
    left.decide_once("scheme", lambda: {"steps": 3})
    left.release()
    looking = take_lock(left.folder)
    monkeypatch.setattr(checkpoint.time, "sleep", lambda _: looking.release())
    assert open_checkpoint("d" * 24).folder == left.folder


def test_a_journal_that_is_killed_while_it_is_removed_is_not_half_there(own_cache, monkeypatch):
    """No file of it is gone yet, and the next start knows nothing of it."""
    checkpoint = open_checkpoint("b" * 24)
    checkpoint.finish("main", {"kept": np.ones(2)}, {"weight a": np.ones(2)})
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    checkpoint.remove()
    assert open_checkpoint("b" * 24).results("main") is None
    (left,) = own_cache.glob("runs/.*.tmp")
    assert len(list(left.iterdir())) == 2


def test_a_journal_is_taken_up_again_where_it_was_left(own_cache):
    """The second of two equal runs too, when the first is done."""
    first, second = open_checkpoint("run"), open_checkpoint("run")
    assert first.folder != second.folder
    first.decide_once("scheme", lambda: 1)
    second.decide_once("scheme", lambda: 2)
    first.remove()
    second.release()
    again = open_checkpoint("run")
    assert again.decide_once("scheme", lambda: 3) == 2
    again.remove()
    again.remove()
    assert not list(own_cache.glob("runs/*"))


@pytest.mark.check
@by_looks(64 * TICK)
def test_a_fit_says_when_the_whole_model_ran_in_each_step(photos, tmp_path, own_cache, monkeypatch):
    small_image_model("resnet18", tmp_path / "resnet")
    monkeypatch.setattr("headstart.adapt.trainable_parts._DISK", 1)
    fitted = hs.fit(photos, model=str(tmp_path / "resnet"), how="tune", budget="22s", out=tmp_path / "out")
    assert fitted.summary["how"] == "tune"
    assert "trained whole: the disk has no room" in fitted.summary["why_how"]
    assert "trained whole" in (tmp_path / "out" / "report.html").read_text()


class Wilful(torch.nn.Module):
    """Python that depends on values; or one that has no memory."""

    def __init__(self, module: torch.nn.Module, error: Exception | None = None) -> None:
        super().__init__()
        self.inner, self._error = module, error

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self._error is not None:
            raise self._error
        return self.inner(images if float(images.sum()) > -1e9 else -images)


def test_a_model_that_cannot_be_cut_is_trained_whole_and_says_so(photos, tmp_path, own_cache):
    small_image_model("resnet18", tmp_path / "resnet")
    backbone = load(str(tmp_path / "resnet"), kind="image")
    dataset = check(read(photos))
    opened = open_for_training(backbone)
    groups = tuple(tuple(f"inner.{name}" for name in group) for group in opened.groups)
    trainable = replace(opened, module=Wilful(opened.module).eval(), groups=groups)
    bodies = ImageParts(trainable, backbone, dataset.inputs, dataset.checked_digests, mirror=lambda: True)
    assert not bodies.at(1).stored
    assert bodies.note(1) == "trained whole: it could not be cut"
    bodies.at(bodies.depths)
    assert not bodies.note(bodies.depths)  # as it was asked for


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_no_memory_is_no_reason_to_train_the_whole_model(error):
    """Which takes more of it."""
    with pytest.raises(RuntimeError, match="memory"):
        cut(Wilful(torch.nn.Linear(4, 2), error), torch.zeros(2, 4), {"inner.weight"})


def letters(textile: Path, text: str, n: int, *, seed: int) -> list[Image.Image]:
    """n photos of cloth, each with one of these letters on it: large, at another place, a little turned."""
    rng = np.random.default_rng(seed)
    cloths = [Image.open(photo).convert("RGB") for photo in sorted((textile / "global").glob("*.jpg"))[:10]]
    made = []
    for i in range(n):
        cloth = cloths[int(rng.integers(len(cloths)))].resize((160, 160))
        ink = Image.new("L", cloth.size)
        place = tuple(int(side) for side in rng.integers(66, 95, 2))
        font = ImageFont.load_default(size=int(rng.integers(90, 120)))
        ImageDraw.Draw(ink).text(place, text[i % len(text)], fill=255, font=font, anchor="mm")
        cloth.paste((200, 20, 20), mask=ink.rotate(float(rng.uniform(-8, 8))))
        made.append(cloth)
    return made


def mirrors_allowed(textile: Path, classes: tuple[str, str], judged: tuple[int, int], *, on: str = "") -> bool:
    """As a fit decides it: a probe on 60 letters of each class, judged on so many others, of the first class `on`."""
    backbone = load("efficientnet_lite0", kind="image")

    def part(
        shown: tuple[str, str], counts: tuple[int, int], seed: int
    ) -> tuple[list[Image.Image], np.ndarray, np.ndarray]:
        inputs = [i for k in (0, 1) for i in letters(textile, shown[k], counts[k], seed=seed + k)]
        digests = np.stack([np.frombuffer(hashlib.sha256(i.tobytes()).digest(), np.uint8) for i in inputs])
        return inputs, digests, np.repeat([0, 1], counts)

    inputs, digests, y = part(classes, (60, 60), 0)
    features = encode(inputs, digests, backbone)
    dataset = check(read(inputs, [classes[k] for k in y]))
    head = fit_probe(dataset, np.arange(len(y)), features, basis=fit_basis(features.matrix)).head
    inputs, digests, y = part((on or classes[0], classes[1]), judged, 10)
    known = encode(inputs, digests, backbone).matrix
    y = np.array([dataset.classes.index(classes[k]) for k in y])
    assert (head.logits(known).argmax(axis=1) == y).mean() > 0.9
    return mirrors_keep_class(inputs, digests, y, features=known, backbone=backbone, head=head)


def test_letters_are_not_mirrored_and_symmetric_shapes_are(textile):
    assert not mirrors_allowed(textile, ("b", "d"), (30, 30))
    assert mirrors_allowed(textile, ("o", "X"), (30, 30))


def test_mirrors_need_evidence(textile):
    """Two of 40 letters that show another class then are enough to forbid it; ten that do not prove nothing."""
    assert not mirrors_allowed(textile, ("ob", "d"), (38, 2), on="o")
    assert not mirrors_allowed(textile, ("o", "X"), (5, 5))
