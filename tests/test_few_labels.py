"""Few labels of texts: tuned on pairs in a few steps, judged fold by fold, taken where that is no worse."""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pytest
import torch

import headstart as hs
from headstart.adapt.auxiliary import Auxiliary, joined
from headstart.adapt.batches import Texts
from headstart.adapt.beside import begin
from headstart.adapt.contrastive import ByClass, contrastive_loss, steps_of
from headstart.adapt.penalty_path import unjudged
from headstart.adapt.policy import FEW
from headstart.backbone import Features
from headstart.clock import UNLIMITED
from test_names import points
from topics import TOPICS


def feed(counts: list[int]) -> ByClass:
    y = np.repeat(np.arange(len(counts)), counts)
    starts = np.arange(len(y) + 1, dtype=np.int64)
    return ByClass(Texts(np.arange(len(y), dtype=np.int32), starts, 0), y)


@pytest.mark.parametrize("counts", [[5, 5], [2] * 77, [1, 9, 30], [16] * 4])
def test_a_batch_has_several_of_each_of_a_few_classes_and_comes_again_from_its_seed(counts):
    texts = feed(counts)
    batches = texts.batches(32, epoch=1, seed=0)
    assert len(batches) == -(-len(texts) // 32)
    for batch in batches:
        assert 0 < len(batch) <= 32
        assert len(set(batch.tolist())) == len(batch)
        of_each = np.bincount(texts.y[batch])
        several = of_each[(of_each > 0) & (np.array(counts)[: len(of_each)] > 1)]
        assert (several > 1).all()
    again = texts.batches(32, epoch=1, seed=0)
    assert all(np.array_equal(one, other) for one, other in zip(batches, again, strict=True))
    assert not all(
        np.array_equal(one, other) for one, other in zip(batches, texts.batches(32, epoch=2, seed=0), strict=True)
    )


def test_the_loss_is_low_where_texts_of_a_class_are_together_and_a_lone_one_costs_nothing():
    loss, rows = contrastive_loss(np.array([0, 0, 1, 1, 2])), torch.arange(5)
    together = torch.tensor([[1.0, 0], [1, 0.1], [-1, 0], [-1, 0.1], [0, -1]], requires_grad=True)
    across = torch.tensor([[1.0, 0], [-1, 0.1], [-1, 0], [1, 0.1], [0, -1]])
    near, far = loss(together, rows, 0.0), loss(across, rows, 0.0)
    assert (near[:4] < far[:4]).all()
    assert near[4].item() == 0.0
    near.sum().backward()
    assert torch.isfinite(together.grad).all()


def test_a_few_labels_are_seen_a_few_times():
    assert steps_of(10) == FEW.fewest_steps
    assert steps_of(800) == 35
    assert steps_of(100_000) == FEW.most_steps


@pytest.fixture
def few(tmp_path):
    """Eight texts of each topic, and others to test on."""
    said = ("I like {}", "we talked about {}", "nothing but {}")
    rows = [(one.format(text), topic) for one in said for topic, texts in TOPICS.items() for text in texts]
    for name, some in (("few", rows[:24]), ("test", rows[24:])):
        with open(tmp_path / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerows([("text", "label"), *some])
    return tmp_path / "few.csv", tmp_path / "test.csv"


def test_few_labels_are_tuned_and_the_verdict_is_told(few, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    data, test = few
    model = hs.fit(data, test=test, model="all-MiniLM-L6-v2", budget="30m", out=tmp_path / "m")
    tuning = model.summary["tuning"]
    assert tuning["trials"] == []
    assert tuning["recipe"]["steps"] == FEW.fewest_steps
    assert tuning["verdict"]["n"] == 24
    assert model.record.method in ("tune", "probe")
    better = tuning["verdict"]["tuned_log_loss"] <= tuning["verdict"]["untuned_log_loss"]
    assert (model.record.method == "tune") == better
    if better:
        assert "tuned on pairs of texts" in model.record.why_method
    assert model.scores.ece < 0.3  # its probabilities are those of what was held out, not of the probe's temperature
    opened = hs.load(tmp_path / "m")
    asked = ["a bowl of rice", "the marathon", "an opera"]
    assert opened.predict(asked) == model.predict(asked)
    assert [p.label for p in opened.predict(asked)] == ["food", "sport", "music"]


def test_where_there_is_no_time_the_probe_is_kept_and_it_is_said(few, tmp_path):
    data, test = few
    model = hs.fit(data, test=test, model="all-MiniLM-L6-v2", budget="4s", out=tmp_path / "m")
    assert model.record.method == "probe"
    assert "would take" in model.record.why_method or "no time" in model.record.why_method


def test_crops_of_few_photos_are_learned_from_with_their_photo(photos, tmp_path):
    few = tmp_path / "few"
    for name in ("global", "nominal"):
        (few / name).mkdir(parents=True)
        for photo in sorted((photos / name).iterdir())[:12]:
            shutil.copy(photo, few / name)
    model = hs.fit(few, model="efficientnet_lite0", out=tmp_path / "m")
    assert any("other crops of each photo" in note for note in model.record.notes)
    assert "too few to tell whether tuning is better" in model.record.why_method
    more = hs.fit(photos, model="efficientnet_lite0", how="probe", out=tmp_path / "p")
    assert not any("other crops" in note for note in more.record.notes)


def test_a_view_is_held_out_with_its_example_and_judged_by_nobody():
    rng, n = np.random.default_rng(0), 20
    data, features = points(0, n // 2, wide=8)
    views = {digest.tobytes(): rng.normal(size=(2, 8)).astype(np.float32) for digest in data.checked_digests}
    both = joined(data, np.arange(n), features, Auxiliary(views=views))
    fold = np.arange(n) % 4
    everywhere = both.fold(fold)
    assert both.features.matrix.shape == (3 * n, 8)
    assert (everywhere[:n] == fold).all()
    assert (everywhere[n:] < 0).all()
    assert (np.maximum(everywhere, unjudged(everywhere))[n:] == fold[both.of]).all()
    assert (both.y[n:] == both.y[both.of]).all()


def test_no_fold_learns_from_views_of_what_it_is_judged_by():
    """Of noise, whose views are the examples themselves: in another fold, each would give its example's class away."""
    rng, n = np.random.default_rng(0), 60
    data, _ = points(0, n // 2, wide=8)
    noise = Features(rng.normal(size=(n, 200)).astype(np.float32), "noise", 0)
    keys = [digest.tobytes() for digest in data.checked_digests]
    views = {key: np.tile(row, (3, 1)) for key, row in zip(keys, noise.matrix, strict=True)}
    found = begin(
        data, np.arange(n), noise, beside=Auxiliary(views=views), seed=0, within=UNLIMITED, advance=lambda _: None
    )
    assert (found.probed.outputs.argmax(axis=1) == data.y).mean() < 0.75
