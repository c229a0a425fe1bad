"""Packaged weights are right on real photos and texts: those that are mapped by order could load, and be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import headstart as hs
from headstart.pretrained import catalog
from own_clock import by_looks

DATA = Path(__file__).parents[2] / "shared" / "data"  # real data sets, where they are at hand
IMAGES = [card.name for card in catalog.cards() if card.package and card.kind == "image"]
TEXTS = [card.name for card in catalog.cards() if card.package and card.kind == "text"]


@pytest.fixture(autouse=True)
def _time_for_every_model():
    with by_looks():
        yield


@pytest.mark.parametrize("name", [name for name in IMAGES if "efficientnet" in name])
def test_classifiers_know_a_palace(name):
    from sklearn.datasets import load_sample_image

    found = hs.load(name).predict([load_sample_image("china.jpg")])[0]
    assert found.label == "palace"


def test_every_photo_model_tells_textiles_apart(photos):
    ranking = hs.rank(photos, models=IMAGES)
    assert {row.model for row in ranking.rows} == set(IMAGES)
    for row in ranking.rows:
        assert row.accuracy >= 0.95
        assert row.separation > 2


def test_every_text_model_tells_questions_apart(questions):
    texts, labels = [text for text, _ in questions], [label for _, label in questions]
    ranking = hs.rank(texts, labels, models=TEXTS, test=0.2)
    for row in ranking.rows:
        assert row.accuracy >= ranking.majority_accuracy + 0.3


def test_states_of_the_onnx_file_are_those_of_the_model_that_is_made_of_it():
    import openvino as ov
    import torch

    from headstart.inputs.tokens import truncating
    from headstart.pretrained.load import load

    backbone = load("paraphrase-MiniLM-L3-v2", kind="text")
    ids = np.array([truncating(backbone.texts).encode("Where is my new card? I am waiting for it.").ids])
    graph = ov.Core().compile_model(str(catalog.find(backbone.name).path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    theirs = next(out for out in graph([ids, np.ones_like(ids)]).values() if out.shape == (1, 384))
    with torch.inference_mode():
        ours = backbone.module()(torch.from_numpy(ids), torch.ones(ids.shape, dtype=torch.int64)).numpy()
    np.testing.assert_allclose(ours[:, :384], theirs, atol=1e-5)


@pytest.mark.check
@pytest.mark.skipif(not (DATA / "flowers").exists(), reason="needs the flowers photos")
def test_flowers_without_a_trained_layer(tmp_path):
    classes = sorted(path for path in (DATA / "flowers").iterdir() if path.is_dir())
    files = [str(photo) for folder in classes for photo in sorted(folder.glob("*.jpg"))[:40]]
    ranking = hs.rank(files, [Path(file).parent.name for file in files], models=IMAGES)
    for row in ranking.rows:
        assert row.accuracy > 0.78


@pytest.mark.check
@pytest.mark.skipif(not (DATA / "banking77").exists(), reason="needs banking77")
def test_intents_and_the_deeper_model_is_the_better_one():
    import csv

    with (DATA / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    ranking = hs.rank([text for text, _ in rows], [label for _, label in rows], models=TEXTS)
    assert ranking.rows[0].model == "all-MiniLM-L6-v2"
    assert all(row.accuracy > 0.7 for row in ranking.rows)
