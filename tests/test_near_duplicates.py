"""Which photos are called nearly the same: copies in other formats and sizes, not other things on one background."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from sklearn.datasets import load_digits, load_sample_images

import headstart as hs
from headstart.data.alike.duplicates import FINGERPRINT, SIDE, fingerprint, near_pairs
from headstart.data.alike.equal import group
from layouts import sentences


def views() -> list[Image.Image]:
    """Photos that do not overlap, of 200 to 300 pixels a side."""
    whole = [Image.fromarray(array) for array in load_sample_images().images]
    boxes = [(x, y, x + 201, y + 213) for x in (0, 203, 406) for y in (0, 214)]
    return [photo.crop(box) for photo in whole for box in boxes]


def found(folder: Path, kind: str = "near-duplicate") -> list[hs.Finding]:
    return [finding for finding in hs.check(folder).dataset.findings if finding.kind == kind]


def put(pictures: list[Image.Image], folder: Path) -> Path:
    for number, picture in enumerate(pictures):
        (folder / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        picture.save(folder / "ab"[number % 2] / f"{number}.png")
    return folder


@pytest.mark.parametrize(
    ("kind", "how", "scale"),
    [
        ("jpeg", {"quality": 60}, 1),
        ("jpeg", {"quality": 85, "progressive": True}, 0.5),
        ("jpeg", {"quality": 90, "subsampling": 0}, 2),
        ("webp", {"quality": 80}, 1),
        ("webp", {"quality": 60}, 0.7),
        ("png", {}, 1.5),
        ("tiff", {}, 1),
        ("bmp", {}, 0.6),
    ],
)
def test_copies_of_a_jpeg_in_other_formats_and_sizes_are_found(tmp_path, kind, how, scale):
    for number, view in enumerate(views()):
        for name in ("a", "b"):
            (tmp_path / name).mkdir(exist_ok=True)
        view.save(tmp_path / "a" / f"{number}.jpg", quality=92)
        size = tuple(round(side * scale) for side in view.size)
        Image.open(tmp_path / "a" / f"{number}.jpg").resize(size).save(tmp_path / "b" / f"{number}x.{kind}", **how)
    pairs = {(f.where, f.reason.split()[4].rstrip(";")) for f in found(tmp_path)}
    assert pairs <= {(f"b/{n}x.{kind}", f"a/{n}.jpg") for n in range(12)}
    assert len(pairs) >= 11  # 99 of 100 are, of more photos (bench/near_duplicates.py)


def test_a_turned_photo_is_as_it_is_seen(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    view = views()[0].resize((607, 403))
    put([view.transpose(Image.Transpose.ROTATE_270), *views()[1:4]], tmp_path)
    view.save(tmp_path / "a" / "turned.jpg", exif=exif)
    assert [f.where for f in found(tmp_path)] == ["a/turned.jpg"]


def drawn(colour: tuple[int, int, int], at: tuple[float, float], *, turned: float = 0) -> Image.Image:
    grain = Image.new("RGBA", (250, 250))
    x, y = at
    ImageDraw.Draw(grain).ellipse((x - 60, y - 14, x + 60, y + 14), fill=(*colour, 255))
    grain = grain.rotate(turned)
    picture = Image.new("RGB", grain.size)
    picture.paste(grain, (0, 0), grain)
    return picture


def test_drawings_on_one_background_are_other_pictures(tmp_path):
    rng = np.random.default_rng(0)
    grains = [drawn((220, 214, 208), rng.uniform(105, 145, 2), turned=rng.uniform(0, 180)) for _ in range(100)]
    assert found(put(grains, tmp_path / "grains")) == []
    digits = [Image.fromarray((15 * digit).astype(np.uint8)) for digit in load_digits().images[:400]]
    assert found(put(digits, tmp_path / "digits")) == []


def test_marks_that_differ_in_colour_alone_are_other_pictures(tmp_path):
    red, green = (200, 0, 0), (0, 102, 0)  # of one light
    for name, colour in (("stop", red), ("go", green)):
        (tmp_path / name).mkdir()
        for place in (110, 125, 140):
            drawn(colour, (place, place)).save(tmp_path / name / f"{place}.png")
    assert found(tmp_path) == found(tmp_path, "conflicting-labels") == []


def test_one_scene_with_a_thing_at_other_places_is_other_pictures(tmp_path):
    scene, pictures = views()[3], []
    for x in range(20, 180, 20):
        for y in range(20, 200, 20):
            pictures.append(scene.copy())
            ImageDraw.Draw(pictures[-1]).ellipse((x - 10, y - 10, x + 10, y + 10), fill=(230, 40, 60))
    assert len(found(put(pictures, tmp_path))) <= 3


def test_plain_pictures_say_nothing(tmp_path):
    shades = [Image.new("RGB", (64, 64), (shade, shade, shade)) for shade in range(0, 250, 5)]
    assert found(put(shades, tmp_path)) == []


def prints(pictures: list[Image.Image]) -> np.ndarray:
    return np.stack([fingerprint(picture.resize((SIDE, SIDE)), picture.size) for picture in pictures])


def test_a_chain_does_not_join_its_ends():
    """A mark that goes through the picture in small steps: neighbours are nearly the same, the ends are not."""
    film = prints([drawn((220, 214, 208), (60 + 0.4 * step, 125)) for step in range(300)])
    pairs = near_pairs(film)
    assert len(pairs)
    members = Counter(group(len(film), pairs).tolist())
    first = {number: np.flatnonzero(group(len(film), pairs) == number) for number in members}
    assert max(rows.max() - rows.min() for rows in first.values()) < 30  # 12 of 250 pixels


def test_groups_do_not_depend_on_the_order_of_the_files():
    some = prints([view.resize((150 + 7 * n, 160)) for n in range(3) for view in views()])
    order = np.random.default_rng(0).permutation(len(some))
    here, there = group(len(some), near_pairs(some)), group(len(some), near_pairs(some[order]))
    pairs = {frozenset((int(a), int(b))) for a in order for b in order if here[a] == here[b]}
    place = np.argsort(order)
    assert pairs == {frozenset((int(a), int(b))) for a in order for b in order if there[place[a]] == there[place[b]]}
    assert len(np.unique(here)) == 12


def test_thousands_of_look_alikes_are_one_group_and_none_is_no_group():
    noise = np.random.default_rng(0).integers(-2, 3, (2000, FINGERPRINT))
    many = np.clip(prints(views()[:1]).astype(int) + noise, 0, 255).astype(np.uint8)
    assert len(np.unique(group(2000, near_pairs(many)))) == 1
    assert near_pairs(np.empty((0, FINGERPRINT), np.uint8)).shape == (0, 2)


def test_known_photos_are_the_same_as_new_ones(tmp_path, monkeypatch):
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    folder = put([*views(), views()[0].resize((150, 160)), Image.new("RGB", (1, 1))], tmp_path / "photos")
    new, known = hs.check(folder).dataset, hs.check(folder).dataset
    assert list((tmp_path / "cache").glob("features/*/*.rows"))
    assert new.findings == known.findings
    np.testing.assert_array_equal(new.groups, known.groups)
    assert [finding.kind for finding in new.findings] == ["tiny", "near-duplicate"]


def test_a_picture_of_one_pixel_is_said_and_small_ones_are_not(tmp_path):
    put([*views()[:4], Image.new("RGB", (1, 1)), Image.new("RGB", (300, 3)), views()[5].resize((8, 8))], tmp_path)
    assert [(f.where, f.reason.split(",")[0], f.rejected) for f in found(tmp_path, "tiny")] == [
        ("a/4.png", "1 x 1 pixels", False),
        ("b/5.png", "255 x 3 pixels", False),
    ]


def test_a_copy_is_said_of_what_it_is_a_copy_of():
    texts = [*sentences("soup", 57), "Good day to you!", "good day to you", "good day to you"]
    found = hs.check(texts, labels=["good"] * 30 + ["bad"] * 30)
    said = [(f.kind, f.where, f.reason.partition(";")[0]) for f in found.dataset.findings]
    assert said == [
        ("near-duplicate", "row 59", "nearly the same as row 58"),
        ("duplicate", "row 60", "identical to row 59"),
    ]
