"""Examples without labels: read and checked, kept apart from the test, learned from where that does no harm."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest

import headstart as hs
from headstart.adapt.auxiliary import Auxiliary
from headstart.adapt.beside import begin
from headstart.adapt.softmax import SOFTMAX
from headstart.clock import UNLIMITED
from headstart.errors import DataError, UserError
from test_names import points
from topics import MINI, PROBE, TOPICS, mixed, numbers


def table(path, rows, header=("text", "label")):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([header, *rows])
    return path


SAID = ("I like {}", "we talked about {}", "{} on Monday", "all of us saw {}", "{} again", "nothing but {}")


def written(first: int, last: int) -> list[tuple[str, str]]:
    """Texts about three topics, in some of six sentences."""
    return [
        (sentence.format(text), topic)
        for topic, texts in TOPICS.items()
        for text in texts
        for sentence in SAID[first:last]
    ]


@pytest.fixture
def topics(tmp_path):
    """Few labels, a test, and a pool that holds some of the test, a copy, a blank text and one that has a label."""
    few = [(text, topic) for topic, texts in TOPICS.items() for text in texts[:3]]
    test = written(4, 6)
    odd = [test[0][0], test[1][0].upper() + " !", few[0][0], "", "I like chess", "I like chess"]
    pool = [text for text, _ in written(1, 4)] + odd
    return (
        table(tmp_path / "few.csv", few),
        table(tmp_path / "test.csv", test),
        table(tmp_path / "pool.csv", [(text,) for text in pool], ("text",)),
    )


def test_a_pool_is_checked_kept_apart_from_the_test_and_learned_from(topics, command, tmp_path):
    few, test, pool = topics
    run = ["fit", few, "--test", test, *PROBE, "--json"]
    code, out, err = command(*run, "--unlabelled", pool, "--out", tmp_path / "m")
    assert code == 0, err
    told = json.loads(out)
    assert told["unlabelled"]["n"] == 60
    assert told["unlabelled"]["left_out"] == 5
    assert 0 < told["unlabelled"]["used"] <= 30
    kinds = sorted(f["kind"] for f in told["findings"] if f["where"].startswith("pool.csv"))
    assert kinds == ["blank-text", "duplicate", "in-test", "in-test", "labelled"]
    assert told["n_rejected"] == 0  # of examples with labels
    assert "60 texts without a label" in err
    assert "with it" in err
    assert told["n_train"] == 9
    again, *_ = command("evaluate", tmp_path / "m", test, "--json")
    assert again == 0
    labelled = table(tmp_path / "inbox.csv", written(1, 2))  # some of the pool, once somebody has labelled it
    for model in (tmp_path / "m", "in memory"):
        if model == "in memory":
            found = hs.fit(few, test=test, unlabelled=pool, out=tmp_path / "again", **MINI).evaluate(labelled).cautions
        else:
            found = hs.load(model).evaluate(labelled).cautions
        assert any("the model learned from 18 of these 18 examples" in caution.text for caution in found)
    without = json.loads(command(*run, "--out", tmp_path / "w")[1])
    assert without["unlabelled"] is None
    assert told["log_loss"] != without["log_loss"]  # it would be, were the pool ignored


def test_a_folder_and_what_stands_in_memory_are_pools_too(topics, photos, tmp_path):
    few, test, pool = topics
    with open(pool, newline="", encoding="utf-8") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    found = hs.fit(few, test=test, unlabelled=texts, out=tmp_path / "t", **MINI).record.unlabelled
    assert (found["n"], found["left_out"]) == (60, 5)
    pile = tmp_path / "pile"
    pile.mkdir()
    for name in ("global", "nominal"):
        for photo in sorted((photos / name).iterdir())[10:]:
            shutil.move(photo, pile / f"{name}-{photo.name}")
    shutil.copy(next((photos / "global").iterdir()), pile / "copy-of-a-labelled-one.jpg")
    (pile / "broken.jpg").write_bytes(b"\xff\xd8 no photo")
    model = hs.fit(photos, unlabelled=pile, how="probe", model="efficientnet_lite0", out=tmp_path / "p")
    assert model.record.unlabelled["n"] == 22
    kinds = [f.kind for f in model.record.findings if "pile" in f.where]
    assert "unreadable" in kinds
    assert {"labelled", "in-test"} & set(kinds)


def test_a_test_photo_in_the_pool_is_never_learned_from(photos, tmp_path):
    pile = tmp_path / "pile"
    pile.mkdir()
    for name in ("global", "nominal"):
        for photo in (photos / name).iterdir():
            shutil.copy(photo, pile / f"{name}-{photo.name}")
    with pytest.raises(DataError, match="no photo is left"):  # each is in the training or the test part
        hs.fit(photos, unlabelled=pile, how="probe", model="efficientnet_lite0", out=tmp_path / "p")


def test_a_pool_for_what_has_no_use_for_it_is_refused(few_texts, tmp_path):
    data, model = few_texts
    texts = [f"{text} {n}" for n, (text, _) in enumerate(numbers(40))]
    with pytest.raises(UserError, match="of no use for regression"):
        hs.fit(texts, [str(n) for n in range(40)], task="regression", model=model, how="probe", unlabelled=["a"])
    rows = mixed(40)
    with pytest.raises(UserError, match="of no use for multilabel"):
        hs.fit(
            [t for t, _ in rows], [y for _, y in rows], task="multilabel", model=model, how="probe", unlabelled=["a"]
        )
    with pytest.raises(DataError, match="no such file"):
        hs.fit(data, model=model, how="probe", unlabelled=tmp_path / "nothing", out=tmp_path / "m")


def test_the_surest_are_taken_by_class_in_the_shares_that_are_estimated():
    logits = np.array([[9.0, 0], [8, 0], [7, 0], [6, 0], [0, 1.0], [0, 2.0], [5, 0], [4, 0]], np.float32)
    rows, labels = SOFTMAX.surest(logits, 0.5)
    assert sorted(rows.tolist()) == [0, 1, 2, 5]
    assert labels.tolist() == [0, 0, 0, 1]


def _with_pool(seed: int, pool: np.ndarray | None, each: int = 5, **kind: float):
    data, features = points(seed, each, **kind)
    beside = Auxiliary(pool=np.empty((0, 0), np.float32) if pool is None else pool)
    rows = np.arange(len(data))
    return begin(data, rows, features, beside=beside, seed=0, within=UNLIMITED, advance=lambda _: None)


def test_a_pool_of_two_clouds_makes_a_better_probe():
    test, asked = points(99, 500, apart=2.5)
    _, more = points(98, 200, apart=2.5)
    right = np.array(
        [
            [
                (_with_pool(seed, pool, apart=2.5).probed.head.logits(asked.matrix).argmax(axis=1) == test.y).mean()
                for pool in (None, more.matrix)
            ]
            for seed in range(8)
        ]
    )
    assert right[:, 1].mean() > right[:, 0].mean()


def test_a_pool_that_does_harm_is_left_out_and_both_scores_are_said():
    far = np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32)
    far[:, 0] *= 0.01
    far[:, 1] += 40 * np.sign(far[:, 1])  # what differs here has nothing to do with the classes
    found = _with_pool(3, far, each=40, wide=8)
    if not len(found.beside.pool):
        assert any("left out" in note for note in found.notes)
    else:
        assert any("with it" in note for note in found.notes)
    assert found.probed.outputs.shape == (80, 2)


def test_labels_that_are_mostly_wrong_are_not_taught():
    rng = np.random.default_rng(0)
    data, features = points(4, 60)
    shuffled = [str(number) for number in rng.integers(0, 12, len(data))]
    data = data.__class__(**{**{f: getattr(data, f) for f in data.__dataclass_fields__}, "targets": shuffled})
    beside = Auxiliary(pool=features.matrix.copy())
    found = begin(data, np.arange(len(data)), features, beside=beside, seed=0, within=UNLIMITED, advance=lambda _: None)
    assert not len(found.beside.pool)
    assert found.used == 0
    assert any("most are wrong" in note for note in found.notes)
