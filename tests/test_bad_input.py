"""Strange input gets one or two lines: what is wrong, where, what to do. Never a traceback, nothing dropped unsaid."""

from __future__ import annotations

import csv
import json
import struct
import subprocess
import sys
import zlib

import numpy as np
from PIL import Image

import headstart as hs
from conftest import STARTER
from headstart.data.check import check
from headstart.inputs.image import open_image
from reading import read


def refused(command, *args: object) -> str:
    code, out, err = command(*args)
    lines = err[err.index("error: ") :].strip().splitlines()  # behind what was said on the way
    assert code == 2, err
    assert out == ""
    assert "Traceback" not in err
    assert 1 <= len(lines) <= 2, err
    return err


def test_hopeless_folders_and_tables(command, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no class folders" in refused(command, "fit", tmp_path / "empty")
    (tmp_path / "one" / "roses").mkdir(parents=True)
    for i in range(3):
        Image.fromarray(np.random.default_rng(i).integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(
            tmp_path / "one" / "roses" / f"{i}.png"
        )
    assert "one class 'roses'" in refused(command, "fit", tmp_path / "one")
    (tmp_path / "words.csv").write_text("text,more\nhello there,one two three\nbye now,four five six\n")
    assert "--label" in refused(command, "fit", tmp_path / "words.csv")
    assert "no such file" in refused(command, "fit", tmp_path / "nothing")
    assert "cannot be fetched" in refused(command, "fit", "http://127.0.0.1:9/photos")  # where nobody listens
    assert "no column 'lable'" in refused(command, "fit", tmp_path / "words.csv", "--label", "lable")


def test_unusable_files_are_listed_and_counted(photos, fit_json, tmp_path):
    good = min((photos / "global").glob("*.jpg")).read_bytes()
    broken = {"paper.jpg": b"%PDF-1.7 not an image", "cut.jpg": good[: len(good) // 2], "nothing.jpg": b""}
    for name, content in broken.items():
        (photos / "global" / name).write_bytes(content)
    frames = [Image.new("L", (20, 20), c) for c in (0, 100, 255)]
    frames[0].save(photos / "global" / "moving.gif", save_all=True, append_images=frames[1:])
    bomb(photos / "global" / "bomb.png")
    told = fit_json(photos)
    assert told["n_rejected"] == 5
    with (tmp_path / "photos.headstart" / "rejected.csv").open() as file:
        reasons = {row["example"].split("/")[1]: row["reason"] for row in csv.DictReader(file)}
    assert "not an image" in reasons["paper.jpg"]
    assert "truncated" in reasons["cut.jpg"]
    assert "0 bytes" in reasons["nothing.jpg"]
    assert "3 frames" in reasons["moving.gif"]
    assert "million pixels" in reasons["bomb.png"]


def bomb(path) -> None:
    """A PNG that says it is 30,000 x 30,000."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    content = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )
    path.write_bytes(content)


def test_every_kind_of_image_opens_as_a_person_sees_it(tmp_path):
    base = np.zeros((30, 60, 3), np.uint8)
    base[:, 30:] = (200, 100, 50)
    rgb = Image.fromarray(base)
    rgb.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    rgb.quantize(4).save(tmp_path / "palette.png")
    rgb.convert("L").save(tmp_path / "grey.png")
    Image.fromarray(np.asarray(rgb.convert("L")).astype(np.uint16) * 257).save(tmp_path / "sixteen.png")
    alpha = rgb.convert("RGBA")
    alpha.putalpha(0)
    alpha.save(tmp_path / "clear.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    rgb.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    for name in ("cmyk.jpg", "palette.png"):
        np.testing.assert_allclose(np.asarray(open_image(tmp_path / name))[15, 50], (200, 100, 50), atol=12)
    grey = np.asarray(rgb.convert("L"))[15, 50]
    for name in ("grey.png", "sixteen.png"):
        np.testing.assert_allclose(np.asarray(open_image(tmp_path / name))[15, 50], (grey,) * 3, atol=1)
    assert np.asarray(open_image(tmp_path / "clear.png")).min() == 255
    assert open_image(tmp_path / "turned.jpg").size == (30, 60)


def test_strange_tables(tmp_path):
    table = tmp_path / "t.csv"
    long = "word " * 20_000
    rows = [
        ("great 🎉", 1),
        ("مرحبا بالعالم", "x"),
        (long, 1),
        ("fine", "x"),
        ("", "x"),
        ("no label", ""),
        ("alone", "rare"),
    ]
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    checked = check(read(table))
    assert checked.classes == ("1", "x")
    assert {(f.kind, f.where) for f in checked.rejected} == {
        ("blank-text", "t.csv row 5"),
        ("missing-label", "t.csv row 6"),
        ("tiny-class", "t.csv row 7"),
    }
    model = hs.fit(table, out=tmp_path / "m")
    assert len(model.predict([long, "مرحبا", "🎉"])) == 3
    assert model.predict("   ")[0].error


def test_latin1_without_header(tmp_path):
    file = tmp_path / "q.txt"
    file.write_bytes("ham\tcaf\u00e9 at noon then\nspam\twin money now friend\n".encode("latin-1") * 3)
    dataset = read(file)
    assert dataset.classes == ("ham", "spam")
    assert dataset.inputs[0] == "café at noon then"
    assert any("cp1252" in note for note in dataset.notes)
    assert any("no header" in note for note in dataset.notes)
    lines = tmp_path / "q.jsonl"
    lines.write_bytes('{"text": "caf\u00e9 at noon then", "label": "ham"}\n'.encode("latin-1") * 3)
    dataset = read(lines)
    assert dataset.inputs[0] == "café at noon then"
    assert any("cp1252" in note for note in dataset.notes)


def test_ragged_rows_are_findings_and_quoted_newlines_are_not(tmp_path):
    file = tmp_path / "r.csv"
    file.write_text('text,label\n"two\nlines",a\nextra,field,a\nplain,b\n')
    dataset = read(file)
    assert list(dataset.inputs) == ["two\nlines", "plain"]
    assert dataset.where[1] == "r.csv row 3"
    assert dataset.findings[0].where == "r.csv row 2"


def test_duplicates_are_grouped_leaks_and_conflicts_are_said(tmp_path, photos):
    first, second = sorted((photos / "global").glob("*.jpg"))[:2]
    (photos / "global" / "same.jpg").write_bytes(first.read_bytes())
    Image.open(second).save(photos / "nominal" / "resaved.jpg", quality=80)
    checked = check(read(photos))
    kinds = {(f.kind, f.where) for f in checked.findings}
    assert ("duplicate", "global/same.jpg") in kinds or ("duplicate", f"global/{first.name}") in kinds
    assert ("conflicting-labels", "nominal/resaved.jpg") in kinds
    assert len(checked) == 42
    parted = tmp_path / "parted"
    for part in ("train", "test"):
        for name in ("global", "nominal"):
            (parted / part / name).mkdir(parents=True)
            some = sorted((photos / name).glob("*.jpg"))
            for photo in some[:12] if part == "train" else some[6:18]:
                (parted / part / name / photo.name).write_bytes(photo.read_bytes())
    summary = hs.fit(parted, model="efficientnet_lite0", out=tmp_path / "leaky", how="probe").summary
    assert summary["split"] == "official"
    assert sum(f["kind"] == "leak" for f in summary["findings"]) == 12


def test_places_that_cannot_be_written(photos, command, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert "cannot write" in refused(command, "fit", photos, "--out", blocked / "model")
    for arguments in (("fit", photos), ("cache",), ("doctor",)):
        code, _, err = command(*arguments, HEADSTART_CACHE=str(blocked / "cache"))
        assert code == 2
        assert "set HEADSTART_CACHE" in err


def test_no_room_for_the_model(photos, fit_json, tmp_path):
    """A whole fit where a file may not grow beyond 2 MB, as on a disk that is nearly full."""
    import resource

    fit_json(photos, "--out", tmp_path / "first")
    done = subprocess.run(
        [sys.executable, "-m", "headstart", "fit", photos, *STARTER, "--out", tmp_path / "second"],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000)),
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") <= 12
    assert "cannot write" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "second").exists()
    assert not list(tmp_path.glob(".second*"))
    assert fit_json(photos, "--out", tmp_path / "second")["cached"] == 1.0


def test_predict_says_which_input_failed(photos, fit_json, command, tmp_path):
    fit_json(photos)
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"nonsense")
    good = min((photos / "global").glob("*.jpg"))
    code, out, _ = command("predict", tmp_path / "photos.headstart", bad, good, "--json")
    rows = json.loads(out)["predictions"]
    assert code == 2
    assert "not an image" in rows[0]["error"]
    assert rows[1]["label"] in ("global", "nominal")
    assert "cannot be fetched" in refused(command, "predict", tmp_path / "photos.headstart", "http://127.0.0.1:9/a.jpg")


def test_models_that_are_not_there(photos, command, tmp_path):
    err = refused(command, "fit", photos, "--model", "efficientnet_lite9")
    assert "efficientnet_lite" in err
    assert "is a model for texts" in refused(command, "fit", photos, "--model", "all-MiniLM-L6-v2")
    assert "no config.json" in refused(command, "fit", photos, "--model", photos)
    saved = tmp_path / "m"
    hs.fit(photos, model="efficientnet_lite0", out=saved, how="probe")
    weights = bytearray((saved / "model.safetensors").read_bytes())
    weights[len(weights) // 2] ^= 1
    (saved / "model.safetensors").write_bytes(weights)
    assert "not those that were saved" in refused(command, "predict", saved, photos)


def test_crops_of_training_photos_in_the_test_part_are_said(tmp_path):
    """Their bytes and perceptual hashes differ; their features give them away."""
    from sklearn.datasets import load_sample_images

    for name, array in zip(("temple", "flower"), load_sample_images().images, strict=True):
        photo = Image.fromarray(array)
        for part in ("train", "test"):
            (tmp_path / "parted" / part / name).mkdir(parents=True)
        for number in range(20):  # views of one photo that do not overlap, each a photo of its own here
            x, y = 128 * (number % 5), 106 * (number // 5)
            view = photo.crop((x, y, x + 128, y + 106))
            if number < 16:
                view.save(tmp_path / "parted" / "train" / name / f"{number}.png")
            if number >= 12:
                view.crop((4, 6, 121, 101)).save(tmp_path / "parted" / "test" / name / f"{number}.jpg", quality=92)
    summary = hs.fit(tmp_path / "parted", model="efficientnet_lite0", out=tmp_path / "m", how="probe").summary
    alike = {f["where"] for f in summary["findings"] if f["kind"] in ("look-alike", "leak")}
    cut = {f"test/{name}/{number}.jpg" for name in ("temple", "flower") for number in range(12, 16)}
    assert len(cut & alike) >= 6
    assert len(alike - cut) <= 1
    assert any("may be a crop" in note for note in summary["notes"])


def test_a_test_with_labels_that_say_that_none_is_known(command, tmp_path):
    for labels, advice in ((["-1"], "train alone"), (["a", "b", "?"], "leave its cells empty")):
        for name, some in (("train", ["a", "b"]), ("test", labels)):
            rows = [f"the {name} sentence number {n} of these,{some[n % len(some)]}\n" for n in range(12)]
            (tmp_path / f"{name}.csv").write_text("text,label\n" + "".join(rows))
        error = refused(command, "check", tmp_path / "train.csv", "--test", tmp_path / "test.csv")
        assert f"class '{labels[-1]}' is in the test part only" in error
        assert advice in error
