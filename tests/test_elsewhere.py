"""A saved folder where headstart is not installed: what transformers and timm make of it, and what the card says."""

from __future__ import annotations

import ast
import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file
from transformers import AutoConfig

import headstart as hs
from elsewhere import code_of, plain, printed_by_the_card
from headstart.backbone import Head
from headstart.pretrained.from_timm import describe, timm
from headstart.pretrained.rebuild import rebuilt
from headstart.pretrained.translated import FIRST_STRIDE, Translated
from headstart.pretrained.write import write_timm
from small_models import small_image_model, small_text_model

pytestmark = pytest.mark.check


def front_of(folder):
    return (folder / "README.md").read_text().split("---")[1]


@pytest.fixture
def small_images(tmp_path):
    small_image_model("resnet10t", tmp_path / "small")
    return tmp_path / "small"


def test_the_pipeline_of_transformers_gives_the_answers_of_an_image_folder(photos, tmp_path):
    """And so does timm, by the other code in the model card."""
    out = tmp_path / "images"
    ours = hs.fit(photos, model="efficientnet_lite0", out=out, how="probe").predict(min(photos.glob("*/*.jpg")))[0]
    shutil.copy(ours.input, tmp_path / "photo.jpg")
    _, by_pipeline, by_timm = code_of(out)
    theirs, timms = plain(by_pipeline + by_timm, tmp_path).splitlines()
    first = ast.literal_eval(theirs)[0]
    assert (first["label"], first["score"]) == (ours.label, pytest.approx(ours.probability, abs=0.02))
    label, probability = timms.rsplit(" ", 1)
    assert (label, float(probability)) == (ours.label, pytest.approx(first["score"], abs=1e-4))
    assert "pipeline_tag: image-classification" in front_of(out)


def test_several_labels_and_numbers_are_no_classes(photos, small_images, tmp_path):
    """A softmax over labels, or a sigmoid of a number, would be another answer than the model's."""
    files = sorted(photos.glob("*/*.jpg"))
    labels = [["a", "b"] if i % 2 else ["b"] if i % 3 else ["a"] for i in range(len(files))]
    hs.fit((files, labels), task="image-multilabel", model=str(small_images), out=tmp_path / "labels", how="probe")
    numbers = [float(i) for i in range(len(files))]
    hs.fit((files, numbers), task="image-regression", model=str(small_images), out=tmp_path / "number", how="probe")
    shutil.copy(files[0], tmp_path / "photo.jpg")
    code = "".join(code_of(tmp_path / name)[1] for name in ("labels", "number"))
    theirs = [
        {each["label"]: each["score"] for each in ast.literal_eval(line)} for line in plain(code, tmp_path).splitlines()
    ]
    ours = [hs.load(tmp_path / name).predict(files[0])[0] for name in ("labels", "number")]
    assert theirs[0] == {label: pytest.approx(score, abs=0.1) for label, score in ours[0].top}
    assert theirs[1] == {"value": pytest.approx(ours[1].value, abs=0.1 * len(files))}
    assert sum(theirs[0].values()) != pytest.approx(1, abs=1e-3)
    assert "pipeline_tag" not in front_of(tmp_path / "number")


def test_a_text_folder_has_no_classifier_to_answer_at_random(questions, tmp_path):
    """Also where the weights came with one of other classes."""
    small_text_model("bert", tmp_path / "small")
    config = json.loads((tmp_path / "small" / "config.json").read_text())
    assert (config["architectures"], len(config["id2label"])) == (["BertForSequenceClassification"], 3)
    (tmp_path / "small" / "config.json").write_text(json.dumps({**config, "_name_or_path": str(tmp_path)}))
    out = tmp_path / "texts"
    texts, labels = [text for text, _ in questions], [name for _, name in questions]
    ours = hs.fit(texts, labels, model=str(tmp_path / "small"), out=out, test=0.3, how="probe").predict("a text")[0]
    assert printed_by_the_card(out, tmp_path) == (ours.label, pytest.approx(ours.probability, abs=0.02))
    assert "pipeline_tag" not in front_of(out)
    asked = 'from transformers import pipeline\ntry:\n    print(pipeline("text-classification", "texts")("a text"))\n'
    assert plain(asked + "except (ValueError, RuntimeError, KeyError):\n    print('refused')", tmp_path).endswith(
        "refused"
    )
    config = json.loads((out / "config.json").read_text())
    assert (config["architectures"], config["id2label"]) == (["BertModel"], {})


def test_a_model_that_timm_has_no_word_for_is_not_opened_as_another(small_images, tmp_path):
    """Keras' ResNets have their strides elsewhere: the tensors have the shapes of timm's."""
    config = json.loads((small_images / "config.json").read_text())
    state = load_file(small_images / "model.safetensors")
    translated = Translated("resnet10t", state, config["pretrained_cfg"], (FIRST_STRIDE,), config["model_args"])
    told = describe(translated, target=tmp_path)
    told |= {"name": "keras", "licence": "", "weights_hash": "0" * 64}
    backbone = rebuilt(told, tmp_path / "model.safetensors", proven=True)
    weight = np.ones((2, backbone.width), np.float32)
    head = Head(("a", "b"), weight, np.zeros(2, np.float32), "", penalty=1.0, temperature=1.0)
    (tmp_path / "saved").mkdir()
    write_timm(backbone, head, tmp_path / "saved")
    with pytest.raises((KeyError, RuntimeError)):
        timm.create_model(f"local-dir:{tmp_path / 'saved'}", pretrained=True)
    with pytest.raises(ValueError, match="model_type"):
        AutoConfig.from_pretrained(tmp_path / "saved")


def test_no_path_of_this_machine_is_in_a_folder(photos, questions, small_images, tmp_path):
    small_text_model("bert", tmp_path / "small_texts")
    settings = tmp_path / "small_texts" / "tokenizer_config.json"
    told = json.loads(settings.read_text()) if settings.exists() else {}
    settings.write_text(json.dumps({**told, "name_or_path": str(tmp_path / "somewhere")}))
    hs.fit(photos, model=str(small_images), out=tmp_path / "images", how="probe")
    texts, labels = [text for text, _ in questions], [name for _, name in questions]
    hs.fit(texts, labels, model=str(tmp_path / "small_texts"), out=tmp_path / "texts", test=0.3, how="tune", budget=10)
    for folder in (tmp_path / "images", tmp_path / "texts"):
        for file in filter(Path.is_file, folder.rglob("*")):
            assert str(tmp_path).encode() not in file.read_bytes(), file.name
        assert hs.load(folder).summary["out"] == str(folder)


ROOT = Path(__file__).parents[1]


def test_the_page_on_troubles_is_made_from_its_table_and_the_table_is_true():
    made = runpy.run_path(str(ROOT / "docs" / "make_troubleshooting.py"))
    assert (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8") == made["page"]()
    source = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "src").rglob("*.py"))
    ours = [row["message"] for row in made["rows"]() if row["said_by"] == "headstart"]
    assert len(ours) > 8
    assert [message for message in ours if message not in source] == []


def test_every_block_of_every_card_runs(made, photos, tmp_path):
    """As it stands in the folder's README, beside the folder: the first where headstart is, the others where not."""
    texts, model = [f"{word} {number}" for number in range(20) for word in ("card", "rate")], str(made.folder / "bert")
    about = {"model": model, "how": "probe"}
    hs.fit(texts, [[["one"], ["one", "two"], []][i % 3] for i in range(40)], out=tmp_path / "labels", **about)
    hs.fit(texts, [i / 7 for i in range(40)], task="regression", out=tmp_path / "numbers", **about)
    pairs = list(zip(texts, reversed(texts), strict=True))
    hs.fit(pairs, ["yes", "no"] * 20, out=tmp_path / "pairs", **about)
    for name in ("image", "text", "reader"):
        shutil.copytree(made.folder / name, tmp_path / name)
    shutil.copy(min(photos.glob("*/*.jpg")), tmp_path / "photo.jpg")
    folders = [tmp_path / name for name in ("image", "text", "labels", "numbers", "pairs", "reader")]
    between = "\nprint('next')\n"
    ours = subprocess.run(
        [sys.executable, "-c", between.join(code_of(folder)[0] for folder in folders)],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    ).stdout.split("next\n")  # fmt: skip
    code = between.join(code_of(folder)[-1] for folder in folders)
    theirs = plain(code, tmp_path).split("next\n")
    assert len(ours) == len(theirs) == len(folders)
    for folder, mine, other in zip(folders, ours, theirs, strict=True):
        if folder.name in ("image", "text", "pairs"):
            assert f"label='{other.splitlines()[-1].rsplit(' ', 1)[0]}'" in mine
        if folder.name == "numbers":
            assert float(re.search(r"value=(\S+?),", mine)[1]) == pytest.approx(float(other.split()[0]), abs=0.05)
    assert {len(code_of(folder)) for folder in folders} == {2, 3}
