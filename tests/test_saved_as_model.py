"""A folder that `fit` saved, as the model of another fit."""

from __future__ import annotations

import json

import numpy as np
import pytest

import headstart as hs
from headstart.errors import ModelError
from headstart.pretrained.load import load_classifier
from small_models import small_image_model


def refitted(model: hs.Model, data, labels=None, *, test: float = 0.2) -> hs.Model:
    """From the saved folder: the same features, so nothing is encoded, and the same answer to the same question."""
    again = hs.fit(data, labels, model=str(model.folder), how="probe", test=test, out=model.folder.with_name("again"))
    assert again.backbone.name == model.folder.name
    assert again.backbone.weights_hash == model.backbone.weights_hash
    assert again.backbone.licence == model.backbone.licence
    assert again.summary["cached"] == 1.0
    np.testing.assert_array_equal(again.head.weight, model.head.weight)
    return hs.load(again.folder)


def test_images(photos, tmp_path):
    model = hs.fit(photos, model="efficientnet_lite0", out=tmp_path / "saved", how="probe")
    again = refitted(model, photos)
    some = sorted(photos.glob("*/*.jpg"))[::9]
    np.testing.assert_array_equal(again.predict_proba(some), model.predict_proba(some))
    backbone, own = load_classifier(str(tmp_path / "saved"))
    assert (backbone.kind, own.classes) == ("image", model.classes)
    np.testing.assert_array_equal(own.weight, model.head.weight)
    ranking = hs.rank(photos, models=[str(tmp_path / "saved")])
    assert ranking.rows[0].cached == ranking.n


def test_texts(questions, tmp_path):
    texts, labels = [text for text, _ in questions], [label for _, label in questions]
    model = hs.fit(texts, labels, test=0.3, out=tmp_path / "saved")
    again = refitted(model, texts, labels, test=0.3)
    np.testing.assert_array_equal(again.predict_proba(texts), model.predict_proba(texts))


def test_what_cannot_be_used_says_why(photos, questions, tmp_path, own_cache, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where it would save: another test may be about to, too
    small_image_model("resnet18", tmp_path / "model")
    hs.fit(photos, model=str(tmp_path / "model"), out=tmp_path / "saved", how="probe")
    texts, labels = [text for text, _ in questions], [label for _, label in questions]
    with pytest.raises(ModelError, match="a model for images, the data are texts"):
        hs.fit(texts, labels, model=str(tmp_path / "saved"))
    told_file = tmp_path / "saved" / "headstart.json"
    told = json.loads(told_file.read_text())
    del told["backbone"]["width"]
    for content, said in ((json.dumps(told), "damaged.*width"), ("{", "not JSON"), ("[]", "not a JSON object")):
        told_file.write_text(content)
        with pytest.raises(ModelError, match=said) as error:
            hs.fit(photos, model=str(tmp_path / "saved"), how="probe")
        assert str(error.value).count("\n") <= 1
