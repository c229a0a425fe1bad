"""What a fit on questions writes down: who is on which side, by names that a table can hold; texts UTF-8 cannot."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import pytest

import headstart as hs
from small_models import QUESTION, text_with_a_year


def rows_about(contexts: list[tuple[str, str]], *, each: int = 1) -> list[dict[str, str]]:
    return [{"context": text, "question": QUESTION, "answer": answer} for text, answer in contexts for _ in range(each)]


def lines(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def texts(n: int, *, words: int = 12) -> list[tuple[str, str]]:
    rng = random.Random(0)
    made = [text_with_a_year(rng, words) for _ in range(n)]
    return [(text, answers[0][0]) for text, answers in made]


def test_a_long_text_without_a_title_is_named_not_repeated(years, tmp_path):
    (long,) = texts(1, words=30_000)
    data = lines(tmp_path / "data.jsonl", rows_about([long], each=6) + rows_about(texts(20)))
    hs.fit(data, model=str(years), how="probe", out=tmp_path / "out")
    table = tmp_path / "out" / "split.csv"
    assert len(long[0]) > 130_000  # more than csv reads by itself
    assert table.stat().st_size < 10_000
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 26
    assert len({row["document"] for row in rows}) == 21
    assert rows[0]["document"] == f"text 1: {long[0][:60]}"
    assert len({row["part"] for row in rows if row["document"] == rows[0]["document"]}) == 1


@pytest.fixture
def halves(tmp_path) -> Path:
    """JSON may hold halves of characters: in texts, in questions, in answers that are found, wrong or left out."""
    made = [row | {"split": "train"} for row in rows_about(texts(24))]
    made[0]["context"] = "half \ud83d of it " + made[0]["context"]
    made[1]["question"] = "when was it \ud83d\ud83d built?"
    made[2]["answer"] = "nowhere \ud83d"
    for row in made[12:]:
        row["split"] = "test"
    made[12]["context"] = "\udce9t\udce9 \ud83d is the name, and it was built in 1954"
    made[12]["answer"] = "\udce9t\udce9 \ud83d"
    path = tmp_path / "halves.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in made))  # ASCII: \ud83d as JSON writes it
    return path


def test_half_characters_are_saved_and_printed(years, halves, tmp_path, command):
    code, out, err = command("fit", halves, "--model", years, "--how", "probe", "--out", tmp_path / "out", "--json")
    assert code == 0, err
    told = json.loads(out)
    kept = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    assert kept["mistakes"] == told["mistakes"]
    assert "\udce9t\udce9 \ufffd" in {mistake["true"] for mistake in kept["mistakes"]}
    for file in ("split.csv", "rejected.csv", "report.html", "README.md"):
        assert (tmp_path / "out" / file).stat().st_size > 0
    code, out, err = command("evaluate", tmp_path / "out", halves, "--json")
    assert code == 0, err
    assert "\udce9t\udce9 \ufffd" in {mistake["true"] for mistake in json.loads(out)["mistakes"]}
    assert command("evaluate", tmp_path / "out", halves)[0] == 0
