"""Which precision features are made in: as asked, as a model's answers were measured, or as its features come out."""

from __future__ import annotations

import json

import numpy as np
import pytest

import headstart as hs
from headstart.encode import engines, graphs, int8, precision
from headstart.encode.precision import known_precision, precision_of
from headstart.errors import UserError
from headstart.pretrained import catalog
from headstart.pretrained.load import load
from small_models import small_image_model

NAMES = {"float32": "f32", "bfloat16": "bf16"}
NEEDS_IT = pytest.mark.skipif(not engines.cpu_has_bf16(), reason="this processor has no bfloat16")


@pytest.fixture
def compiled_in(monkeypatch) -> set[str]:
    """The precisions that graphs were compiled for."""
    found, compiling = set(), graphs.compiled

    def compiled(backbone, precision, n, **more):
        found.add(precision)
        return compiling(backbone, precision, n, **more)

    monkeypatch.setattr(graphs, "compiled", compiled)
    return found


@pytest.mark.parametrize("asked", ["float32", pytest.param("bfloat16", marks=NEEDS_IT)])
@pytest.mark.usefixtures("own_cache", "on_a_cpu")
def test_features_are_made_in_what_was_asked_for_and_those_of_the_saved_model_too(asked, photos, compiled_in, tmp_path):
    made = hs.fit(photos, how="probe", model="efficientnet_lite0", precision=asked, out=tmp_path / "model")
    assert made.summary["precision"] == asked
    assert f"features are made in {asked}" in (tmp_path / "model" / "README.md").read_text()
    hs.load(tmp_path / "model").predict(sorted(photos.rglob("*.jpg"))[:2])
    assert compiled_in == {NAMES[asked]}
    told = json.loads((tmp_path / "model" / "headstart.json").read_text())
    assert told["backbone"]["precision"] == asked
    assert precision_of(told["head"]["features_key"]) == asked


def test_another_precision_is_refused_before_any_work(photos, command, tmp_path):
    code, out, err = command("fit", photos, "--precision", "float16", "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert err == "error: --precision: unknown precision 'float16'\none of: auto, float32, bfloat16, int8\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("on_a_cpu")
def test_bfloat16_is_refused_where_the_processor_has_none(photos, monkeypatch):
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: False)
    with pytest.raises(UserError, match="this processor has no bfloat16"):
        hs.fit(photos, how="probe", precision="bfloat16", out=None)


@NEEDS_IT
@pytest.mark.usefixtures("own_cache", "on_a_cpu")
def test_a_saved_model_answers_where_there_is_no_bfloat16(photos, monkeypatch, tmp_path):
    hs.fit(photos, how="probe", model="efficientnet_lite0", precision="bfloat16", out=tmp_path / "model")
    some = sorted(photos.rglob("*.jpg"))[:6]
    here = hs.load(tmp_path / "model").predict(some)
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: False)
    there = hs.load(tmp_path / "model").predict(some)
    assert [p.label for p in here] == [p.label for p in there]
    np.testing.assert_allclose([p.probability for p in here], [p.probability for p in there], atol=0.05)


@NEEDS_IT
@pytest.mark.usefixtures("own_cache", "on_a_cpu")
def test_what_the_catalog_says_holds_for_these_weights_only(monkeypatch):
    backbone = load("efficientnet_lite0", kind="image")
    row = vars(catalog.find("efficientnet_lite0"))
    monkeypatch.setitem(row, "bfloat16", backbone.weights_hash[:16])
    assert known_precision(backbone) == "bf16"
    monkeypatch.setitem(row, "bfloat16", "0" * 16)
    assert known_precision(backbone) is None  # measured when it first runs


def test_the_catalog_says_it_of_weights_that_are_known():
    for card in catalog.cards():
        assert card.bfloat16 == "" or (card.kind == "image" and len(card.bfloat16) == 16)


@pytest.mark.usefixtures("own_cache", "on_a_cpu")
def test_int8_is_calibrated_once_and_the_saved_model_needs_it_no_more(
    photos, compiled_in, tmp_path, capfd, monkeypatch
):
    pytest.importorskip("nncf")
    small_image_model("test_efficientnet", tmp_path / "small")
    monkeypatch.setattr(int8, "EXAMPLES", 24)
    asked = {"how": "probe", "model": str(tmp_path / "small"), "precision": "int8"}
    made = hs.fit(photos, out=tmp_path / "model", **asked)
    assert made.summary["precision"] == "int8"
    assert len({name for name in compiled_in if name.startswith("i8-")}) == 1
    again = hs.fit(photos, out=tmp_path / "again", **asked)
    assert len({name for name in compiled_in if name.startswith("i8-")}) == 1
    assert again.summary["cached"] == 1.0
    assert capfd.readouterr().out == ""  # NNCF draws bars
    compiled_in.clear()
    answers = hs.load(tmp_path / "model").predict(sorted(photos.rglob("*.jpg"))[:2])
    assert all(answer.label for answer in answers)
    assert compiled_in <= {"f32", "bf16"}


@pytest.mark.usefixtures("on_a_cpu")
def test_int8_is_for_photos_and_for_enough_of_them(few_texts, photos):
    pytest.importorskip("nncf")
    with pytest.raises(UserError, match="int8 is calibrated on 100 training photos, and there are 32"):
        hs.fit(photos, how="probe", precision="int8", out=None)
    with pytest.raises(UserError, match="int8 is for photos"):
        hs.fit(few_texts[0], how="probe", precision="int8", out=None)
