"""Folders and photos of strangers: nothing hangs, nothing is started, each real file is read once, and all is said."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import headstart as hs
from conftest import STARTER
from headstart.data import check, read
from headstart.data.images import open_image, open_known
from headstart.data.walk import MOST_DEEP
from headstart.encode import encode
from headstart.errors import DataError, UserError
from headstart.pretrained import load

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\n(canary) (w) file closefile\nshowpage\n"


def strange_entries(folder: Path) -> dict[str, str]:
    """What nobody should wait for, in a class folder: name -> a word of the reason."""
    os.mkfifo(folder / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket.jpg"))
    (folder / "zero.jpg").symlink_to("/dev/zero")
    (folder / "nowhere.jpg").symlink_to(folder / "gone.jpg")
    (folder / "circle.jpg").symlink_to("circle.jpg")
    with (folder / "sparse.jpg").open("wb") as file:
        file.truncate(200 * 2**30)
    (folder / "script.jpg").write_bytes(POSTSCRIPT)
    return {
        "pipe.jpg": "named pipe",
        "socket.jpg": "",
        "zero.jpg": "device",
        "nowhere.jpg": "No such file",
        "circle.jpg": "",
        "sparse.jpg": "bytes",
        "script.jpg": "PostScript",
    }


def test_what_is_no_photo_is_listed_and_nothing_waits_for_it(photos):
    wanted = strange_entries(photos / "global")
    checked = check(read(photos))
    reasons = {f.where.split("/")[1]: f.reason for f in checked.rejected}
    assert reasons.keys() == wanted.keys()
    assert all(word in reasons[name] for name, word in wanted.items()), reasons
    assert len(checked) == 40


def test_no_program_is_started_for_a_photo(photos, tmp_path, command):
    """PostScript under a photo's name goes to Ghostscript with Pillow's own choice of formats."""
    ghostscript = tmp_path / "bin" / "gs"
    ghostscript.parent.mkdir()
    ghostscript.write_text(f"#!/bin/sh\ntouch {tmp_path}/STARTED\n")
    ghostscript.chmod(0o755)
    (photos / "global" / "script.jpg").write_bytes(POSTSCRIPT)
    path = f"{ghostscript.parent}{os.pathsep}{os.environ['PATH']}"
    assert command("fit", photos, *STARTER, "--out", tmp_path / "m", PATH=path)[0] == 0
    code, out, _ = command("predict", tmp_path / "m", photos / "global" / "script.jpg", PATH=path)
    assert code == 2
    assert "PostScript" in out
    assert not (tmp_path / "STARTED").exists()


@pytest.mark.parametrize(
    ("made", "count"),
    [
        (lambda d: (d / "global" / "up").symlink_to(".."), 40),
        (lambda d: [(d / name / "up").symlink_to("..") for name in ("global", "nominal")], 40),
        (lambda d: [(d / "global" / name).symlink_to(".") for name in "ab"], 40),
        (lambda d: (d / "global" / "other").symlink_to("../nominal"), 40),
    ],
    ids=["parent", "parent twice", "itself", "another class"],
)
def test_links_that_lead_back_are_not_followed(photos, made, count):
    made(photos)
    dataset = read(photos)
    assert len(dataset) == count
    assert any("link" in note for note in dataset.notes)


def test_folders_and_files_that_are_links_are_read(photos, tmp_path):
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "whole").symlink_to(photos / "global")
    (linked / "each").mkdir()
    for photo in (photos / "nominal").iterdir():
        (linked / "each" / photo.name).symlink_to(photo)
    dataset = read(linked)
    assert (len(dataset), dataset.classes) == (40, ("each", "whole"))
    first = min((photos / "nominal").iterdir())
    (linked / "each" / "again.jpg").symlink_to(first)
    again = check(read(linked))
    assert len(again) == 40
    assert [f.where for f in again.rejected] in (["each/again.jpg"], [f"each/{first.name}"])


def test_a_walk_has_a_bottom(photos):
    deep = photos / "global"
    for _ in range(MOST_DEEP + 2):
        deep = deep / "d"
    deep.mkdir(parents=True)
    with pytest.raises(DataError, match="folders in one another"):
        read(photos)


STRANGE_PATHS = ["a\0b.jpg", "\ud800.jpg", "x" * 5000, "~nobody-of-this-name/x", "circle"]


@pytest.mark.parametrize("path", STRANGE_PATHS, ids=["nul", "half", "long", "home", "circle"])
def test_paths_that_are_none_are_said(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(UserError):
        read(path)
    table = tmp_path / "t.jsonl"
    table.write_text("".join(json.dumps({"image": f"{path}.jpg", "label": label}) + "\n" for label in "abab"))
    with pytest.raises(UserError):
        check(read(table))


def test_the_formats_of_photos_open_and_damaged_ones_are_said(tmp_path):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8))
    for name in ("jpg", "png", "gif", "bmp", "tiff", "webp", "ppm", "tga", "pcx", "ico", "jp2"):
        file = tmp_path / f"photo.{name}"
        picture.save(file)
        assert open_image(file).mode == "RGB"
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 3])
        with suppress(DataError):  # some decoders make do with a part
            open_image(file)


def test_features_are_never_kept_under_the_name_of_other_bytes(photos, own_cache):
    backbone, dataset = load("efficientnet_lite0", kind="image"), check(read(photos))
    clean = encode(dataset.inputs, dataset.checked_digests, backbone).matrix
    shutil.rmtree(own_cache / "features")
    first, other = sorted((photos / "global").iterdir())[:2]
    kept = first.read_bytes()
    first.write_bytes(other.read_bytes())
    with pytest.raises(DataError, match="changed while") as caught:
        encode(dataset.inputs, dataset.checked_digests, backbone)
    assert first.name in str(caught.value)
    first.unlink()
    with pytest.raises(DataError, match="gone since"):
        encode(dataset.inputs, dataset.checked_digests, backbone)
    first.write_bytes(kept)
    np.testing.assert_array_equal(encode(dataset.inputs, dataset.checked_digests, backbone).matrix, clean)
    row = dataset.inputs.index(str(first))
    assert open_known(str(first), dataset.checked_digests[row]).size == Image.open(first).size


def test_nothing_hangs_on_what_is_predicted_or_read_for_an_answer(photos, years, tmp_path, command):
    hs.fit(photos, model="efficientnet_lite0", how="probe", out=tmp_path / "m")
    os.mkfifo(tmp_path / "pipe")
    code, out, _ = command("predict", tmp_path / "m", tmp_path / "pipe")
    assert (code, "named pipe" in out) == (2, True)
    for path in (tmp_path / "pipe", "/dev/zero", tmp_path):
        code, _, err = command("answer", years, "when was it?", "--context", path)
        assert code == 2
        assert "Traceback" not in err
    done = subprocess.run(
        [sys.executable, "-m", "headstart", "answer", years, "when is it ?", "--context", "-"],
        input="it is of 1984 .", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "1984" in done.stdout) == (0, True), done.stderr
