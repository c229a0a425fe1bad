"""The plan before the work: what is measured, what is projected from it, and data that are not read to their end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import headstart as hs
from headstart.cluster import plan as planning
from small_models import small_image_model


def test_photos_are_planned(photos, tmp_path, command):
    small_image_model("vit_tiny_patch16_224", tmp_path / "model")
    code, out, err = command("plan", photos, "--model", tmp_path / "model", "--json", "--machines", "1,2,400")
    assert code == 0, err
    told = json.loads(out)
    assert (told["rows"], told["rows_counted"], told["sample"]) == (40, True, 40)
    assert told["data_bytes"] == sum(path.stat().st_size for path in photos.rglob("*.jpg"))
    assert told["memory"] < told["memory_all"]
    one, two, many = told["machines"]
    assert one["hours"] == pytest.approx(40 / told["check_per_second"] / 3600 + 40 / told["encode_per_second"] / 3600)
    assert (one["if_twice"], one["if_half"]) == pytest.approx((2 * one["hours"], one["hours"] / 2))
    assert two["hours"] == many["hours"] == one["hours"]  # 40 photos are one chunk
    code, out, err = command("plan", photos, "--model", tmp_path / "model")
    assert code == 0, err
    assert "measured here on 40 examples" in out
    assert "projected: hours" in out
    assert "wrong by a factor of two" in out


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be"])
def test_a_large_file_is_not_read_to_its_end(encoding, few_texts, tmp_path, own_cache, monkeypatch):
    """The number of its rows is projected: within a hundredth, where they are alike. Its end is no table at all."""
    monkeypatch.setattr(planning, "_WHOLE", 10_000)
    monkeypatch.setattr(planning, "_HEAD", 100_000)
    table = tmp_path / "large.csv"
    rows = [f"where is my card number {number:06d},{'ab'[number % 2]}\n" for number in range(20_000)]
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    table.write_bytes((f"{mark}text,label\n" + "".join(rows)).encode(encoding) + b"\0" * 100)
    made = hs.plan(table, model=str(few_texts[1]), machines=[1])
    assert not made.rows_counted
    assert made.rows == pytest.approx(20_000, rel=0.01)
    assert made.data_bytes == table.stat().st_size


def test_lines_may_end_in_carriage_returns(few_texts, tmp_path, own_cache, monkeypatch):
    monkeypatch.setattr(planning, "_WHOLE", 10_000)
    monkeypatch.setattr(planning, "_HEAD", 20_000)
    table = tmp_path / "large.csv"
    rows = [f"where is my card number {number:06d},{'ab'[number % 2]}\r" for number in range(4_000)]
    table.write_bytes(("text,label\r" + "".join(rows)).encode())
    assert hs.plan(table, model=str(few_texts[1]), machines=[1]).rows == pytest.approx(4_000, rel=0.01)


def test_what_cannot_be_used_has_no_plan(photos, tmp_path, command):
    small_image_model("resnet10t", tmp_path / "model")
    for photo in photos.rglob("*.jpg"):
        photo.write_bytes(b"no photo")
    code, _, err = command("plan", photos, "--model", tmp_path / "model")
    assert (code, "none of a sample can be used" in err) == (2, True)


def test_a_first_line_may_be_long(few_texts, tmp_path, own_cache, monkeypatch):
    """So much is read that there is a row; and what is said is said of the user's file."""
    monkeypatch.setattr(planning, "_WHOLE", 10_000)
    monkeypatch.setattr(planning, "_HEAD", 2_000)
    table = tmp_path / "large.jsonl"
    long = '{"text": "' + "where is my card " * 1_000 + '", "label": "a"}\n'
    table.write_text(long + "".join(f'{{"text": "a card {i}", "label": "{"ab"[i % 2]}"}}\n' for i in range(200)))
    assert hs.plan(table, model=str(few_texts[1]), machines=[1]).rows >= 1
    table.write_text('{"text": "a card"\n' * 2_000)
    with pytest.raises(hs.UserError, match=r"^large\.jsonl: no rows"):
        hs.plan(table, model=str(few_texts[1]), machines=[1])


@pytest.mark.parametrize("keep", ["float16", "int8"])
def test_disk_is_what_a_store_takes(keep, few_texts, tmp_path, own_cache):
    """As it was projected, but for what each file begins with; and int8 costs what it was measured to cost here."""
    table = tmp_path / "texts.csv"
    table.write_text("text,label\n" + "".join(f"where is my card {i},{'ab'[i % 2]}\n" for i in range(3000)))
    made = hs.plan(table, model=str(few_texts[1]), keep=keep)
    hs.encode_shard(table, store=tmp_path / "store", model=str(few_texts[1]), keep=keep)
    (merged,) = hs.merge_shards(tmp_path / "store").tables
    taken = sum(path.stat().st_size for path in Path(tmp_path / "store").rglob("*") if path.is_file())
    assert taken == pytest.approx(made.disk, rel=0.1)
    assert (made.disk_in_int8 == made.disk) is (keep == "int8")
    assert merged.get("loss", made.loss) == pytest.approx(made.loss, rel=0.05)
    assert 0 < made.loss < 0.05


def test_what_cannot_be_planned_is_said(few_texts, tmp_path):
    for machines in ([], [0]):
        with pytest.raises(hs.UserError, match="no numbers of machines"):
            hs.plan(few_texts[0], machines=machines)
    with pytest.raises(hs.UserError, match="no such file"):
        hs.plan(tmp_path / "nothing")


def test_numbers_of_machines_are_numbers(few_texts, command):
    code, _, err = command("plan", few_texts[0], "--machines", "a few")
    assert (code, "no numbers: 'a few'" in err) == (2, True)
