"""Corrected examples: learned from, right where the data say otherwise, and never tested on."""

from __future__ import annotations

import json
import shutil

import pytest

import headstart as hs
from headstart.errors import DataError, UserError
from topics import MINI


def classed_texts() -> tuple[list[str], list[str]]:
    from conftest import QUESTIONS

    pairs = [(s.strip(), c) for c, t in QUESTIONS.items() for s in t.replace("?", ".").split(".") if s.strip()]
    texts, labels = zip(*pairs, strict=True)
    return list(texts), list(labels)


def test_photos(photos, tmp_path, command):
    wrong = sorted((photos / "global").glob("*.jpg"))[:3]
    for place in (tmp_path / "feedback" / "mine" / "nominal", tmp_path / "feedback" / "mine" / "global"):
        place.mkdir(parents=True)
    for photo in wrong:  # of the data, and another class is right
        shutil.copy(photo, tmp_path / "feedback" / "mine" / "nominal")
    shutil.copy(sorted((photos / "global").glob("*.jpg"))[5], tmp_path / "feedback" / "mine" / "global")
    arguments = ["--model", "efficientnet_lite0", "--how", "probe", "--out", tmp_path / "saved", "--json"]
    code, out, err = command("fit", photos, "--feedback", tmp_path / "feedback", *arguments)
    assert code == 0, err
    told = json.loads(out)
    assert told["n_train"] + told["n_test"] == 40  # one is in the data as it is, and counts once
    assert any(
        "4 corrected examples were read: they are learned from, and not tested on" in note for note in told["notes"]
    )
    corrected = [finding for finding in told["findings"] if finding["kind"] == "corrected"]
    assert len(corrected) == 4
    reasons = sorted(finding["reason"] for finding in corrected)
    assert reasons == [*["corrected from 'global' to 'nominal'"] * 3, "is among the corrected examples"]
    rows = (tmp_path / "saved" / "split.csv").read_text().splitlines()
    mine = [row.split(",") for row in rows if row.startswith("feedback ")]
    assert sorted((row[1], row[2]) for row in mine) == [("global", "train"), *[("nominal", "train")] * 3]


def test_texts_go_to_the_training_part(tmp_path):
    texts, labels = classed_texts()
    more = [(f"another one, number {number}, about it", labels[0]) for number in range(20)]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps({"text": t, "label": c}) + "\n" for t, c in more))
    plain = hs.fit(texts, labels, **MINI)
    model = hs.fit(texts, labels, feedback=tmp_path / "mine.jsonl", **MINI)
    assert model.scores.n == plain.scores.n  # the same test part
    assert model.record.n_train == plain.record.n_train + 20


def test_the_last_of_corrections_that_contradict_each_other_counts(tmp_path):
    texts, labels = classed_texts()
    one, other = sorted(set(labels))[:2]
    said = [("is it mine or yours?", one), ("who knows?", one), ("is it mine or yours?", other), ("who knows?", one)]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps({"text": t, "label": c}) + "\n" for t, c in said))
    model = hs.fit(texts, labels, feedback=tmp_path / "mine.jsonl", **MINI)
    (finding,) = [finding for finding in model.record.findings if finding.kind == "corrected"]
    assert finding.where.startswith("feedback ")
    assert finding.where.endswith(" 1")
    assert finding.reason == f"corrected to {one!r} here and to {other!r} further on, which counts"
    assert model.record.n_train == hs.fit(texts, labels, **MINI).record.n_train + 3  # what is said twice is a duplicate


def test_a_new_class(tmp_path):
    texts, labels = classed_texts()
    more = [(f"weather report {number}: rain and wind from the west", "weather") for number in range(12)]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps({"text": t, "label": c}) + "\n" for t, c in more))
    model = hs.fit(texts, labels, feedback=tmp_path, **MINI)
    assert "weather" in model.classes
    assert any(caution.kind == "untested" for caution in model.record.cautions)


def test_feedback_of_another_kind_is_refused(photos):
    texts, labels = classed_texts()
    with pytest.raises(DataError, match="one part holds images, another texts"):
        hs.fit(texts, labels, feedback=photos, **MINI)


def test_the_feedback_of_several_models_is_refused(photos, tmp_path):
    shutil.copytree(photos, tmp_path / "corrected" / "flowers")
    shutil.copytree(photos, tmp_path / "corrected" / "cloth")
    with pytest.raises(DataError, match=r"there is the feedback of several models: cloth, flowers\n.*corrected/cloth"):
        hs.fit(photos, feedback=tmp_path / "corrected", model="efficientnet_lite0", how="probe", out=tmp_path / "saved")


def test_tables_of_labels_of_several_models_are_refused(photos, tmp_path):
    for name in ("flowers", "cloth"):
        (tmp_path / name).mkdir()
        shutil.copy(next((photos / "global").glob("*.jpg")), tmp_path / name / "a.jpg")
        (tmp_path / name / "metadata.jsonl").write_text('{"file_name": "a.jpg", "label": ["global"]}\n')
    with pytest.raises(DataError, match=r"there is the feedback of several models: cloth, flowers"):
        hs.fit(photos, feedback=tmp_path, model="efficientnet_lite0", how="probe", out=tmp_path / "saved")


def test_labels_that_the_data_lack_are_said(tmp_path):
    texts, labels = classed_texts()
    (tmp_path / "mine.jsonl").write_text('{"text": "rain and wind from the west", "label": "weather"}\n' * 2)
    model = hs.fit(texts, labels, feedback=tmp_path / "mine.jsonl", **MINI)
    assert any("labels that only corrected examples have: 'weather'" in note for note in model.summary["notes"])


def test_feedback_beside_texts_without_labels_is_refused(tmp_path):
    texts, labels = classed_texts()
    with pytest.raises(UserError, match="corrected examples have labels"):
        hs.fit(texts, classes=["card", "pin"], feedback=(texts, labels), **MINI)
