"""Exports: run without headstart, from their README, with its own outputs; or refused in words, without a trace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import headstart as hs
from headstart.errors import OutputError, UserError
from small_models import small_image_model
from topics import mixed, numbers, same_or_not

TEXTS = ["Where is my card?", "The exchange rate, please. " * 200, "Ünïcode 漢字 🙂"]


FIRST = "from __future__ import annotations\n"


def run_readme(folder: Path, sample: str, given: object) -> np.ndarray:
    """What the README's code prints of an input, in a process of its own in which headstart cannot be imported."""
    code = (folder / "README.md").read_text().split("```python\n")[1].split("```")[0].replace(sample, repr(str(given)))
    assert code.startswith(FIRST)
    alone = code.replace(FIRST, FIRST + "import sys\nsys.modules['headstart'] = None\n")
    done = subprocess.run([sys.executable, "-c", alone], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return np.array(done.stdout.strip(" []\n").split(), dtype=np.float64)


@pytest.fixture(scope="module")
def intents():
    from conftest import QUESTIONS

    pairs = [(s.strip(), c) for c, t in QUESTIONS.items() for s in t.replace("?", ".").split(".") if s.strip()]
    texts, labels = zip(*pairs, strict=True)
    return hs.fit(texts, labels, model="all-MiniLM-L6-v2", how="probe")


def test_texts_of_classes(intents, tmp_path):
    exported = intents.export(tmp_path / "ir")
    assert exported.files == ("README.md", "model.bin", "model.json", "model.xml", "tokenizer.json")
    assert exported.compared == intents.scores.n
    told = json.loads((tmp_path / "ir" / "model.json").read_text())
    assert (told["task"], told["outputs"], told["classes"]) == (
        "text-classification",
        "probabilities",
        list(intents.classes),
    )
    for text in TEXTS:
        found = run_readme(tmp_path / "ir", '"a text"', text)
        np.testing.assert_allclose(found, intents.predict_proba([text])[0], atol=2e-2)
        assert found.argmax() == intents.predict_proba([text])[0].argmax()


@pytest.mark.parametrize("architecture", ["resnet18", "vit_tiny_patch16_224"])
def test_photos(photos, tmp_path, command, architecture):
    small_image_model(architecture, tmp_path / "model")
    hs.fit(photos, model=str(tmp_path / "model"), how="probe", out=tmp_path / "saved")
    large = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)).resize((2400, 1600))
    large.save(tmp_path / "large.jpg")
    code, out, err = command(
        "export", tmp_path / "saved", tmp_path / "ir", "--input", tmp_path / "large.jpg", "--input", photos, "--json"
    )
    assert code == 0, err
    told = json.loads(out)
    assert (told["format"], told["compared"]) == ("openvino", 41)
    model = hs.load(tmp_path / "saved")
    for photo in (tmp_path / "large.jpg", next(photos.glob("*/*.jpg"))):
        found = run_readme(tmp_path / "ir", '"photo.jpg"', photo)
        np.testing.assert_allclose(found, model.predict_proba([photo])[0], atol=2e-2)


def test_labels_and_numbers(tmp_path):
    texts, labels = zip(*mixed(60), strict=True)
    model = hs.fit(texts, labels, model="all-MiniLM-L6-v2", how="probe")
    model.export(tmp_path / "labels")
    told = json.loads((tmp_path / "labels" / "model.json").read_text())
    assert told["thresholds"] == list(model.head.thresholds)
    found = run_readme(tmp_path / "labels", '"a text"', texts[0])
    np.testing.assert_allclose(found, model.predict_proba([texts[0]])[0], atol=2e-2)
    words, values = zip(*numbers(60), strict=True)
    model = hs.fit(words, values, model="all-MiniLM-L6-v2", how="probe", task="regression")
    model.export(tmp_path / "numbers")
    told = json.loads((tmp_path / "numbers" / "model.json").read_text())
    assert told["outputs"] == "values"
    assert told["interval"] == {"half_width": model.head.width, "holds": 0.9}
    (found,) = run_readme(tmp_path / "numbers", '"a text"', words[0])
    assert found == pytest.approx(model.predict(words[0])[0].value, abs=2e-2 * model.head.deviation)


def test_what_cannot_be_exported_is_said_and_leaves_nothing(intents, years, tmp_path):
    pairs = same_or_not(60)
    two = hs.fit([(a, b) for a, b, _ in pairs], [c for _, _, c in pairs], model="all-MiniLM-L6-v2", how="probe")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("today")
    for model, folder, format, error, said in (
        (two, "new", "openvino", UserError, "two texts at once"),
        (hs.load(years), "new", "openvino", UserError, "more than a backbone with a linear head"),
        (intents, "new", "onyx", UserError, "unknown format 'onyx'.*one of: openvino"),
        (intents, "mine", "openvino", OutputError, "already there"),
    ):
        with pytest.raises(error, match=f"(?s){said}"):
            model.export(tmp_path / folder, format=format)
    with pytest.raises(UserError, match="no input"):
        intents.export(tmp_path / "new", inputs=["", " "])
    assert [(path.name, len(os.listdir(path))) for path in tmp_path.iterdir()] == [("mine", 1)]
