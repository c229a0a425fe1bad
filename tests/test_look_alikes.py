"""One part photographed many times, of which some have a scratch: look-alikes of two classes, and what is said."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_images

import headstart as hs


def parts(folder: Path, *, good: int = 14, scratched: int = 14) -> Path:
    whole, other = map(Image.fromarray, load_sample_images().images)
    part, rng = whole.crop((0, 0, 256, 256)), np.random.default_rng(0)
    for name, n, y in (("good", good, 0), ("scratch", scratched, 210)):
        (folder / name).mkdir(parents=True)
        for x in (0, 210, 420):
            other.crop((x, y, x + 200, y + 200)).save(folder / name / f"other{x}.png")
        for number in range(n):
            photo = part.copy()
            if name == "scratch":
                x, y = rng.integers(40, 200, 2).tolist()
                ImageDraw.Draw(photo).line((x, y, x + 20, y + 3), fill=(250, 250, 250), width=1)
            noisy = np.clip(np.asarray(photo) + rng.normal(0, 4, (256, 256, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(folder / name / f"{number}.png")
    return folder


def test_look_alikes_of_two_classes_are_no_mistakes(tmp_path):
    checked = hs.check(photos := parts(tmp_path / "parts", good=40), test=0.3)
    assert not [finding for finding in checked.dataset.findings if finding.kind == "conflicting-labels"]
    assert any("'good' (40), 'scratch' (14) look nearly the same" in note for note in checked.notes)
    groups, classes = checked.dataset.checked_groups, np.array(checked.dataset.targets)
    assert all(len(set(classes[groups == number])) == 1 for number in set(groups.tolist()))
    assert len(set(groups.tolist())) == 2 + 6  # those of one class stay together
    shutil.copy(photos / "good" / "3.png", photos / "scratch" / "copy.png")
    (conflict,) = [finding for finding in hs.check(photos).dataset.findings if finding.kind == "conflicting-labels"]
    assert conflict.where == "scratch/copy.png"


def test_a_copy_under_another_class_is_a_mistake_still(tmp_path):
    photos = parts(tmp_path / "parts", scratched=2)
    kinds = [finding.kind for finding in hs.check(photos).dataset.findings]
    assert kinds.count("conflicting-labels") == 2


def test_a_class_whose_photos_all_look_the_same_is_tested_and_that_is_told(tmp_path):
    """Flawless parts before one camera: were they one group, none could be tested."""
    other = parts(tmp_path / "parts", scratched=0)
    for photo in other.glob("good/other*"):
        photo.unlink()
    for number in range(12):
        noise = np.random.default_rng(number).integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((64, 64)).save(other / "scratch" / f"{number}.png")
    shutil.copy(other / "good" / "0.png", other / "good" / "again.png")
    found = hs.check(other)
    (caution,) = found.cautions
    assert caution.kind == "alike"
    assert "photos of 'good' (14) look nearly the same, and are taken one by one" in caution.text
    named = [found.dataset.where[row] for row in found.parts.test]
    assert sum(name.startswith("good") for name in named) == 3
    assert ("good/0.png" in named) == ("good/again.png" in named)  # identical ones stay together
