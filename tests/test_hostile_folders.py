"""Folders with what nobody would call a photo: nothing hangs, nothing runs, each file is one example or is listed."""

from __future__ import annotations

import csv
import json
import os
import shutil
import socket
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

import headstart as hs
from headstart.data.check import check
from headstart.data.files import walk
from headstart.data.given import given_images
from headstart.errors import DataError, UserError
from hostile import POSTSCRIPT, ghostscript
from reading import read


def findings(dataset) -> dict[str, tuple[str, str]]:
    return {f.where: (f.kind, f.reason) for f in dataset.findings if f.rejected}


HANGS = {  # photo -> what is said of it
    "pipe.jpg": "a named pipe",
    "socket.jpg": "No such device",
    "zero.jpg": "a device",
    "endless.jpg": "more than 1,048,576 bytes, where it was said to have 0",
    "circle.jpg": "Too many levels of symbolic links",
    "nothing.jpg": "No such file",
    "sparse.jpg": "214,748,364,800 bytes",
    "script.jpg": "not an image but PostScript",
}


def fill_with_what_hangs(folder) -> None:
    os.mkfifo(folder / "pipe.jpg")
    (folder / "zero.jpg").symlink_to("/dev/zero")
    (folder / "endless.jpg").symlink_to("/proc/self/pagemap")
    (folder / "circle.jpg").symlink_to("circle.jpg")
    (folder / "nothing.jpg").symlink_to("not there")
    (folder / "sparse.jpg").touch()
    os.truncate(folder / "sparse.jpg", 200 << 30)
    (folder / "script.jpg").write_bytes(POSTSCRIPT)
    here = os.getcwd()
    os.chdir(folder)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("socket.jpg")
    finally:
        os.chdir(here)


def test_what_hangs_or_has_no_end_is_listed(photos, fit_json, command, tmp_path, monkeypatch):
    """By a fit, and where it is to be predicted; Ghostscript is not started for it."""
    started = ghostscript(tmp_path / "bin", monkeypatch)
    fill_with_what_hangs(photos / "global")
    (photos / "nominal" / "up").symlink_to("..")
    told = fit_json(photos)
    assert (told["n_train"] + told["n_test"], told["n_rejected"]) == (40, 9)
    with (tmp_path / "photos.headstart" / "rejected.csv").open() as file:
        reasons = {row["example"]: row["reason"] for row in csv.DictReader(file)}
    assert reasons.pop("nominal/up") == "a link to a folder of the data"
    assert reasons.keys() == {f"global/{name}" for name in HANGS}
    assert any("not followed: nominal/up" in note for note in told["notes"])
    code, out, _ = command("predict", tmp_path / "photos.headstart", photos / "global", "--json")
    predicted = {Path(row["input"]).name: row.get("error") for row in json.loads(out)["predictions"]}
    assert (code, len(predicted)) == (2, 20 + len(HANGS))
    for name, said in HANGS.items():
        assert said in reasons[f"global/{name}"], name
        assert said in predicted.pop(name), name
    assert set(predicted.values()) == {None}
    assert not started.exists()


def bytes_read() -> int:
    """By this process, up to now."""
    return int(Path("/proc/self/io").read_text().split()[1])


@pytest.mark.skipif(not os.path.exists("/proc/self/io"), reason="needs /proc")
def test_little_is_read_of_a_file_that_has_more_than_was_said(photos):
    """A file of /proc is said to have 0 bytes; this one has some hundred GB."""
    (photos / "global" / "endless.jpg").symlink_to("/proc/self/pagemap")
    before = bytes_read()
    assert findings(check(read(photos))) == {"global/endless.jpg": ("unreadable", HANGS["endless.jpg"])}
    assert bytes_read() - before < 8 * 2**20


def test_texts_in_folders(tmp_path):
    for label in ("ham", "spam"):
        (tmp_path / label).mkdir()
        for number in range(4):
            (tmp_path / label / f"{number}.txt").write_text(f"a {label} of number {number}")
    os.mkfifo(tmp_path / "ham" / "pipe.txt")
    (tmp_path / "ham" / "zero.txt").symlink_to("/dev/zero")
    (tmp_path / "ham" / "endless.txt").symlink_to("/proc/self/pagemap")
    (tmp_path / "ham" / "nuls.txt").write_bytes(bytes(10_000))
    (tmp_path / "spam" / "sparse.txt").touch()
    os.truncate(tmp_path / "spam" / "sparse.txt", 200 << 30)
    (tmp_path / "spam" / "mark.txt").write_bytes(b"\xef\xbb\xbf")
    (tmp_path / "spam" / "mark16.txt").write_bytes(b"\xff\xfe")
    found = check(read(tmp_path))
    assert len(found) == 8
    assert {where: kind for where, (kind, _) in findings(found).items()} == {
        "ham/pipe.txt": "unreadable",
        "ham/zero.txt": "unreadable",
        "ham/endless.txt": "unreadable",
        "ham/nuls.txt": "unreadable",
        "spam/sparse.txt": "unreadable",
        "spam/mark.txt": "blank-text",
        "spam/mark16.txt": "blank-text",
    }


@pytest.mark.parametrize(
    "links",
    [
        {"global/up": ".."},
        {"global/up": "..", "nominal/up": ".."},
        {"global/a": ".", "global/b": "."},
        {"global/n": "../nominal"},
    ],
)
def test_links_to_folders_of_the_data_are_not_followed(photos, links):
    for place, target in links.items():
        (photos / place).symlink_to(target)
    found = check(read(photos))
    assert len(found) == 40
    assert {where: kind for where, (kind, _) in findings(found).items()} == dict.fromkeys(links, "linked-folder")
    assert any("not followed" in note for note in found.notes)
    items, _ = given_images([photos])
    assert len(items) == 40 + len(links)
    unchecked = {"parts": None, "guessed": None, "groups": None, "digests": None, "sketches": None, "findings": ()}
    asked = replace(found, inputs=items, targets=[None] * len(items), where=items, **unchecked)
    answered = check(asked, purpose="predict")
    assert len(answered) == 40
    assert len(answered.rejected) == len(links)


def test_data_sets_made_of_links_stay_what_they_are(photos, tmp_path):
    plain = read(photos)
    folders, files = tmp_path / "folders", tmp_path / "files"
    folders.mkdir()
    for name in ("global", "nominal"):
        (folders / name).symlink_to(photos / name)
        (files / name).mkdir(parents=True)
        for photo in (photos / name).iterdir():
            (files / name / photo.name).symlink_to(photo)
    for linked in (read(folders), read(files)):
        assert (linked.where, linked.targets, linked.findings) == (plain.where, plain.targets, ())
    whole = tmp_path / "whole"
    whole.symlink_to(photos)
    assert read(whole).where == plain.where


def test_a_file_that_links_lead_to_twice_is_one_example(photos, tmp_path):
    first = min((photos / "global").iterdir())
    pool = tmp_path / "pool"
    pool.mkdir()
    shutil.copy(first, pool / "x.jpg")
    (photos / "global" / "0.jpg").symlink_to(first.name)
    (photos / "nominal" / "a.jpg").symlink_to(pool / "x.jpg")
    (photos / "nominal" / "b.jpg").symlink_to("../../pool/x.jpg")
    found = read(photos)
    assert len(found) == 41
    assert findings(found) == {
        "global/0.jpg": ("linked-file", f"the same file as global/{first.name}, which is kept"),
        "nominal/b.jpg": ("linked-file", "the same file as nominal/a.jpg, which is kept"),
    }
    for name in ("a", "b"):  # and a folder
        (photos / "global" / name).symlink_to(pool)
    assert findings(read(photos))["global/b"] == (
        "linked-folder",
        "a folder that is read already, through another link",
    )


def test_a_walk_has_bounds(photos, monkeypatch):
    deep = photos / "global"
    for _ in range(walk.MOST_DEEP + 2):
        deep /= "d"
    deep.mkdir(parents=True)
    with pytest.raises(DataError, match="more than 64 folders in one another"):
        read(photos)
    shutil.rmtree(photos / "global" / "d")
    monkeypatch.setattr(walk, "MOST_ENTRIES", 30)
    with pytest.raises(DataError, match="more than 30 files and folders"):
        read(photos)


@pytest.mark.parametrize("place", ["", "global", "global/more"])
def test_empty_folders_are_counted_too(place, photos, monkeypatch):
    for number in range(150):
        (photos / place / str(number)).mkdir(parents=True)
    monkeypatch.setattr(walk, "MOST_ENTRIES", 100)
    with pytest.raises(DataError, match="more than 100 files and folders"):
        read(photos)


def test_a_folder_that_is_not_read_ends_nothing(photos, tmp_path):
    """Its files are counted for a note alone."""
    data = tmp_path / "data"
    for part in ("train", "test"):
        shutil.copytree(photos, data / part)
    (data / "raw").joinpath(*"d" * (walk.MOST_DEEP + 6)).mkdir(parents=True)
    (data / "other").mkdir()
    found = read(data)
    assert len(found) == 80
    assert any(note.endswith("with class folders in it: other (0 files), raw") for note in found.notes)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_folders_without_permission_are_said(photos):
    (photos / "global" / "mine").mkdir()
    (photos / "global" / "mine").chmod(0)
    assert findings(check(read(photos)))["global/mine"] == ("unreadable", "Permission denied")
    photos.chmod(0)
    try:
        with pytest.raises(DataError, match="Permission denied"):
            read(photos)
    finally:
        photos.chmod(0o755)


def test_folders_that_cannot_be_listed_are_said(photos, monkeypatch):
    """As the test before, where root runs the tests."""
    (photos / "global" / "mine").mkdir()
    listed = os.scandir

    def refusing(place):
        if str(place).endswith("mine"):
            raise PermissionError(13, "Permission denied", str(place))
        return listed(place)

    monkeypatch.setattr(os, "scandir", refusing)
    assert "global/mine" in findings(check(read(photos)))


def test_names_that_begin_with_a_tilde_are_no_homes(photos, monkeypatch):
    (photos / "global").rename(photos / "~global")
    monkeypatch.chdir(photos)
    assert len(check(read("."))) == 40


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("x" * 5000, "File name too long"),
        ("y/" * 3000, "File name too long"),
        ("~nobody-of-this-name/x", "nobody of this name"),
        ("circle", "Too many levels of symbolic links"),
        ("circle/x.csv", "Too many levels of symbolic links"),
        ("a\0b.csv", "a NUL character"),
        ("\ud83d.csv", "half a character"),
        ("file/x.csv", "no such file or folder"),
        ("pipe.csv", "a named pipe"),
        ("pipe.json", "a named pipe"),
        ("/dev/zero", "a device"),
        ("folder.csv", "no class folders"),
    ],
)
def test_what_was_typed_may_be_anything(typed, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.symlink("circle", "circle")
    os.mkdir("folder.csv")
    open("file", "w").close()
    os.mkfifo("pipe.csv")
    os.mkfifo("pipe.json")
    with pytest.raises(UserError) as error:
        read(typed)
    assert said in str(error.value)
    assert str(error.value).count("\n") <= 1
    assert len(str(error.value)) < 600
    with suppress(UserError):
        given_images([typed, "file"])


def test_the_command_line_says_it_in_a_line(command, tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    os.mkfifo(tmp_path / "pipe.csv")
    for arguments, said in (
        (("fit", "x" * 5000), "File name too long"),
        (("fit", "pipe.csv"), "a named pipe"),
        (("answer", "any", "a question", "--context", "pipe.txt"), "a named pipe"),
        (("answer", "any", "a question", "--context", "/dev/zero"), "a device"),
        (("answer", "any", "a question", "--context", tmp_path), "a folder"),
    ):
        code, out, err = command(*arguments)
        lines = [line for line in err.strip().splitlines() if not line.rstrip().endswith(" s")]
        assert (code, out) == (2, ""), err
        assert said in err
        assert len(lines) <= 2


@pytest.mark.parametrize("left", ["@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found"])
def test_what_drives_leave_in_folders_is_no_class_and_no_photo(photos, left):
    for folder in (photos / left, photos / "global" / left / "IMG_1.jpg"):
        folder.mkdir(parents=True)
        for number, photo in enumerate(sorted((photos / "nominal").glob("*.jpg"))[:3]):
            shutil.copy(photo, folder / f"SYNOPHOTO_THUMB_{number}.jpg")
    (photos / "global" / "Desktop.ini").write_text("[.ShellClassInfo]")
    checked = hs.check(photos)
    assert checked.counts == {"global": 20, "nominal": 20}
    assert not checked.dataset.rejected
