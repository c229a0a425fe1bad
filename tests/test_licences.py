"""Which models may be chosen unasked: none that is non-commercial or gated, and the option that lifts it."""

from __future__ import annotations

import json
import re
import shutil
from functools import partial
from pathlib import Path

import pytest

import headstart as hs
from headstart.errors import ModelError, UserError
from headstart.pretrained import catalog
from headstart.pretrained.licences import CLASSES, licence_class
from headstart.pretrained.weights import file_sha256
from own_clock import by_looks
from small_models import small_image_model

STARTER, CLOSED = "efficientnet_lite0", "convnextv2_atto"


@pytest.fixture
def fetched(tmp_path, monkeypatch):
    """Puts models of the catalog into a hub cache of the test's own, small and with random weights."""
    cache = tmp_path / "hub"
    for name in ("HF_HOME", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def put(name: str) -> None:
        card = catalog.find(name)
        repo = cache / f"models--{card.repo.replace('/', '--')}"
        snapshot = repo / "snapshots" / ("0123abcd" * 5)
        snapshot.parent.mkdir(parents=True)
        small_image_model(card.architecture, snapshot)
        weights = snapshot / "model.safetensors"
        blob = repo / "blobs" / file_sha256(weights)
        blob.parent.mkdir()
        shutil.move(weights, blob)
        weights.symlink_to(Path("..") / ".." / "blobs" / blob.name)
        (repo / "refs").mkdir()
        (repo / "refs" / "main").write_text(snapshot.name)

    return put


@pytest.fixture
def closed(monkeypatch):
    """Gives models of the catalog a licence that allows no commercial use."""

    def close(*names: str) -> None:
        for name in names:
            row = vars(catalog.find(name))
            monkeypatch.setitem(row, "licence", "CC-BY-NC-4.0")
            monkeypatch.setitem(row, "licence_class", "non-commercial")

    return close


@pytest.fixture(autouse=True)
def _time_for_every_model():
    with by_looks():
        yield


def test_every_row_has_a_class_with_its_source_and_it_is_that_of_its_licence():
    for card in catalog.cards():
        assert card.licence_class in CLASSES
        assert card.licence_source
        assert card.licence_class == licence_class(card.licence)


@pytest.mark.parametrize(
    ("licence", "found"),
    [
        *((name, "free") for name in ("Apache-2.0", "mit", "BSD-3-Clause", "CC0-1.0", "apache 2.0")),
        *((name, "non-commercial") for name in ("CC-BY-NC-4.0", "cc-by-nc-sa-4.0", "fair-noncommercial-research")),
        *((name, "gated") for name in ("dinov3-license", "gemma", "llama3.2")),
        *((name, "conditions") for name in ("openrail", "GPL-3.0", "cc-by-sa-4.0", "nvidia-open-model")),
        *((name, "unknown") for name in ("", "none", "ask me", "synced")),
    ],
)
def test_a_licence_is_of_one_class(licence, found):
    assert licence_class(licence) == found


def test_a_model_with_a_closed_licence_is_never_chosen_unasked(photos, closed, tmp_path):
    others = [card.name for card in catalog.at_hand("image") if card.name != STARTER]
    closed(*others)
    ranking = hs.rank(photos)
    assert [row.model for row in ranking.rows] == [STARTER]
    assert {one.model for one in ranking.untried} == set(others)
    assert {one.why for one in ranking.untried} == {"CC-BY-NC-4.0 is non-commercial: licence='any' tries it"}
    assert {row.model for row in hs.rank(photos, licence="any").rows} == {STARTER, *others}
    named = hs.rank(photos, models=[others[0]])
    assert ([row.model for row in named.rows], named.untried) == ([others[0]], ())
    fitted = hs.fit(photos, how="probe", out=tmp_path / "model")
    assert fitted.summary["licence"] == {"class": "free", "text": "Apache-2.0"}
    assert (fitted.summary["model"], fitted.summary["why"]) == (STARTER, "the only free model for images at hand")


def test_where_nothing_else_is_at_hand_the_option_is_named(photos, closed, tmp_path):
    closed(*(card.name for card in catalog.at_hand("image")))
    for run in (partial(hs.fit, out=tmp_path / "model"), hs.rank):
        with pytest.raises(ModelError, match="not free to choose by their licences: efficientnet_lite0, ") as caught:
            run(photos)
        assert "licence='any' takes them" in str(caught.value)
    closed(*(card.name for card in catalog.at_hand("text")))
    found = hs.check(photos, model="auto").examined
    assert any("no model for images is at hand" in note for note in found.notes)


def test_a_model_that_is_named_is_taken_and_card_and_terminal_say_its_class(photos, fetched, command, tmp_path):
    fetched(CLOSED)
    out = tmp_path / "model"
    code, said, err = command("fit", photos, "--model", CLOSED, "--how", "probe", "--out", out)
    assert code == 0, err
    assert re.search(r"licence +CC-BY-NC-4.0, non-commercial: no commercial use", said)
    card = (out / "README.md").read_text()
    assert "license: cc-by-nc-4.0" in card
    assert "> **Warning:** The pre-trained weights are under CC-BY-NC-4.0: non-commercial" in card
    assert "the model was named" in card
    again = hs.fit(photos, model=out, how="probe", out=tmp_path / "again")  # what it was made from is still what it was
    assert again.summary["licence"] == {"class": "non-commercial", "text": "CC-BY-NC-4.0"}
    assert hs.load(out).summary["licence"]["class"] == "non-commercial"


def test_the_option_on_the_command_line(photos, fetched, command):
    fetched(CLOSED)
    code, out, err = command("rank", photos, "--models", CLOSED, "--licence", "free", "--json")
    assert code == 0, err  # that are named are tried
    assert [row["model"] for row in json.loads(out)["rows"]] == [CLOSED]
    code, out, err = command("fit", photos, "--licence", "all")
    assert (code, out) == (2, "")
    assert "one of: free, any" in err
    shown = command("models", CLOSED)[1]
    assert "CC-BY-NC-4.0 (non-commercial; timm configuration)" in shown


def test_licences_that_there_are_not(photos):
    with pytest.raises(UserError, match="unknown licences 'all'"):
        hs.fit(photos, licence="all")
