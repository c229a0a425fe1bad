"""`headstart explain`: JSON that scripts rely on, a folder with the map, and what is refused in a line."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from small_models import pictures, small_image_model, small_text_model


@pytest.fixture
def photo(tmp_path):
    small_image_model("resnet18", tmp_path / "resnet")
    pictures()[0].save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_a_photo(photo, command, tmp_path):
    out = tmp_path / "why"
    code, printed, err = command("explain", tmp_path / "resnet", photo, "--json", "--out", out, "--class", "kind 3")
    assert code == 0, err
    told = json.loads(printed)
    assert told["prediction"]["input"] == str(photo)
    assert told["target"] == "kind 3"
    assert told["map"] == str(out / "map.png")
    assert told["neighbours"] == []
    with Image.open(told["map"]) as picture:
        assert picture.size == (80, 70)
    kept = json.loads((out / "explanation.json").read_text())
    assert kept["map"] == "map.png"
    assert kept["prediction"] == told["prediction"]
    assert command("explain", tmp_path / "resnet", photo, "--out", out)[::2] == (
        2,
        f"error: {out}: already there\nchoose another --out\n",
    )


def test_what_is_refused(photo, command, tmp_path):
    code, out, err = command("explain", tmp_path / "resnet", photo, "--class", "kind 33")
    assert (code, out) == (2, "")
    assert err == "error: the model has no class 'kind 33'\ndid you mean 'kind 3'?\n"
    code, out, err = command("explain", tmp_path / "resnet", photo, photo)
    assert (code, err) == (2, "error: input: 2 inputs, and one is explained at a time\ngive one\n")
    code, out, err = command("explain", tmp_path / "resnet")
    assert (code, err) == (2, "error: INPUTS: nothing to explain\nname files or texts; or --pair A B\n")


def test_a_text(command, tmp_path):
    small_text_model("bert", tmp_path / "bert")
    code, printed, err = command("explain", tmp_path / "bert", "where is my new card")
    assert code == 0, err
    lines = printed.splitlines()
    assert lines[0].startswith("where is my new card: ")
    assert lines[1].startswith("what speaks most for ")
    assert {line.split()[1] for line in lines[2:]} == {"where", "is", "my", "new", "card"}
